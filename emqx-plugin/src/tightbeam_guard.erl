%% @doc Denies what nobody decided. Its callbacks come after ExHook's, and the service always answers
%% with a decision that ends the chain: to be reached at all means that no provider answered. EMQX
%% itself accepts clients then, when it has booted without the provider.
-module(tightbeam_guard).

-export([on_authenticate/2, has_denied/0, on_authorize/4, is_armed/1, armed/0, after_boot/0, disconnect_earlier/1]).

-define(DENIED, '$tightbeam_guard_denied').
-define(HALF_WAY, 1000).
-define(SERVER_BUSY, 16#89).

%% @doc A client asked to connect and neither EMQX's authentication nor the provider said anything.
%% Denied whatever its name: nobody has checked it. The service's own user is checked by EMQX's own
%% authentication, before.
-spec on_authenticate(map(), term()) -> ok | {stop, {error, not_authorized}}.
on_authenticate(Credential, _Default) ->
    case is_armed(guard_authenticate) of
        true ->
            denied(connect, Credential),
            _ = put(?DENIED, true),
            {stop, {error, not_authorized}};
        false ->
            ok
    end.

%% @doc Has the guard refused the client of this process?
-spec has_denied() -> boolean().
has_denied() ->
    erase(?DENIED) =:= true.

-spec on_authorize(map(), term(), term(), term()) -> ok | {stop, map()}.
on_authorize(ClientInfo, _Action, _Topic, _Default) ->
    case is_armed(guard_authorize) of
        true ->
            denied(operation, ClientInfo),
            {stop, #{result => deny, from => ?MODULE}};
        false ->
            ok
    end.

%% @doc `auto' guards a broker in whose configuration the service is registered, disabled or not, and leaves one alone on
%% which the plugin was installed first: who disables the service has not said that everybody may come in.
-spec is_armed(guard_authenticate | guard_authorize) -> boolean().
is_armed(What) ->
    tightbeam_config:get(What) andalso
        case tightbeam_config:get(guard) of
            deny -> true;
            off -> false;
            auto -> tightbeam_provider:configured() =/= absent
        end.

-spec armed() -> [guard_authenticate | guard_authorize].
armed() ->
    [What || What <- [guard_authenticate, guard_authorize], is_armed(What)].

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
            {ok, _} = timer:apply_after(?HALF_WAY, ?MODULE, disconnect_earlier, [Now + ?HALF_WAY div 10]),
            ok;
        false ->
            ok
    end.

is_booted() ->
    lists:keymember(emqx_machine, 1, application:which_applications()).

%% @doc Disconnects who connected before that time (system time in milliseconds).
-spec disconnect_earlier(integer()) -> ok.
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

denied(What, #{} = Client) ->
    tightbeam_metrics:inc('tightbeam.guard.denied'),
    tightbeam_watch:denied(What, maps:with([clientid, username], Client)).
