%% @doc Denies what nobody decided. Its callbacks come after ExHook's, and the service always answers
%% with a decision that ends the chain: to be reached at all means that no provider answered. EMQX
%% itself accepts clients then, when it has booted without the provider.
-module(tightbeam_guard).

-behaviour(gen_server).

-export([start_link/0, on_authenticate/2, on_authorize/4, is_armed/1, status/0, clear/0, after_boot/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(ALARM, tightbeam_no_hook_provider).
-define(DENIALS, {?MODULE, denials}).
-define(CHECK, 5000).
%% The alarm ends when nothing had to be denied for this long.
-define(QUIET, 30000).
-define(HALF_WAY, 1000).
-define(SERVER_BUSY, 16#89).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc A client asked to connect and neither EMQX's authentication nor the provider said anything.
%% Denied whatever its name: nobody has checked it. The service's own user is checked by EMQX's own
%% authentication, before.
-spec on_authenticate(map(), term()) -> ok | {stop, {error, not_authorized}}.
on_authenticate(Credential, _Default) ->
    case is_armed(guard_authenticate) of
        true ->
            denied(connect, Credential),
            {stop, {error, not_authorized}};
        false ->
            ok
    end.

-spec on_authorize(map(), term(), term(), term()) -> ok | {stop, map()}.
on_authorize(ClientInfo, _Action, _Topic, _Default) ->
    case is_armed(guard_authorize) of
        true ->
            denied(operation, ClientInfo),
            {stop, #{result => deny, from => ?MODULE}};
        false ->
            ok
    end.

%% @doc `auto' guards a broker in whose configuration the service is registered, and leaves one alone
%% on which the plugin was installed first.
-spec is_armed(guard_authenticate | guard_authorize) -> boolean().
is_armed(What) ->
    tightbeam_config:get(What) andalso
        case tightbeam_config:get(guard) of
            deny -> true;
            off -> false;
            auto -> is_provider_configured()
        end.

is_provider_configured() ->
    Name = tightbeam_config:get(exhook_server),
    lists:any(
        fun
            (#{name := N, enable := true}) -> iolist_to_binary([N]) =:= Name;
            (_) -> false
        end,
        emqx:get_config([exhook, servers], [])
    ).

-spec status() -> #{armed := [atom()], alarm := boolean()}.
status() ->
    #{
        armed => [W || W <- [guard_authenticate, guard_authorize], is_armed(W)],
        alarm => gen_server:call(?MODULE, is_alarm_on)
    }.

%% @doc EMQX opens its listeners some 20 ms before it starts its plugins. Who got in unguarded then is
%% disconnected (0x89, server busy), to come back and be judged. Not when the plugin is started on a
%% broker that runs already: there the provider has judged everybody.
-spec after_boot() -> ok.
after_boot() ->
    case is_armed(guard_authenticate) andalso not is_booted() of
        true ->
            Now = erlang:system_time(millisecond),
            ok = disconnect_earlier(Now),
            %% And who was half-way through CONNECT.
            _ = erlang:send_after(?HALF_WAY, ?MODULE, {disconnect_earlier, Now + ?HALF_WAY div 10}),
            ok;
        false ->
            ok
    end.

is_booted() ->
    lists:keymember(emqx_machine, 1, application:which_applications()).

disconnect_earlier(Time) ->
    lists:foreach(
        fun(ClientId) ->
            [
                Pid ! {disconnect, ?SERVER_BUSY, server_busy, #{}}
             || Pid <- emqx_cm:lookup_channels(local, ClientId), is_earlier(emqx_cm:do_get_chan_info(ClientId, Pid), Time)
            ]
        end,
        lists:usort(emqx_cm:all_client_ids())
    ).

is_earlier(#{conninfo := #{connected_at := At}}, Time) -> At =< Time;
is_earlier(_, _) -> false.

%% @doc Ends the alarm, when the plugin stops.
-spec clear() -> ok.
clear() ->
    gen_server:call(?MODULE, clear).

denied(What, #{} = Client) ->
    tightbeam_metrics:inc('tightbeam.guard.denied'),
    Denials = persistent_term:get(?DENIALS),
    %% One message for the first; the rest only counts, so that a storm of clients costs nothing.
    atomics:add_get(Denials, 1, 1) =:= 1 andalso
        gen_server:cast(?MODULE, {first, What, maps:with([clientid, username], Client)}),
    ok.

init([]) ->
    persistent_term:put(?DENIALS, atomics:new(1, [])),
    _ = erlang:send_after(?CHECK, self(), check),
    {ok, #{alarm => false, last => 0}}.

handle_call(is_alarm_on, _From, #{alarm := Alarm} = State) ->
    {reply, Alarm, State};
handle_call(clear, _From, State) ->
    {reply, ok, alarm_off(State)};
handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({first, What, Client}, State) ->
    {noreply, alarm_on(What, Client, State#{last := now_ms()})};
handle_cast(_, State) ->
    {noreply, State}.

handle_info(check, #{last := Last} = State) ->
    _ = erlang:send_after(?CHECK, self(), check),
    case atomics:exchange(persistent_term:get(?DENIALS), 1, 0) of
        0 ->
            case now_ms() - Last > ?QUIET of
                true -> {noreply, alarm_off(State)};
                false -> {noreply, State}
            end;
        _ ->
            {noreply, State#{last := now_ms()}}
    end;
handle_info({disconnect_earlier, Time}, State) ->
    ok = disconnect_earlier(Time),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

alarm_on(_What, _Client, #{alarm := true} = State) ->
    State;
alarm_on(What, Client, State) ->
    Server = tightbeam_config:get(exhook_server),
    logger:error(#{msg => "tightbeam_no_hook_provider", denied => What, client => Client, server => Server}),
    catch emqx_alarm:activate(
        ?ALARM,
        #{denied => What, server => Server},
        <<"The ExHook provider does not answer: clients and operations are denied">>
    ),
    State#{alarm := true}.

alarm_off(#{alarm := true} = State) ->
    catch emqx_alarm:deactivate(?ALARM),
    State#{alarm := false};
alarm_off(State) ->
    State.

now_ms() ->
    erlang:monotonic_time(millisecond).
