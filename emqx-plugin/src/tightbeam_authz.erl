%% @doc May this receiver get this message? EMQX's own `client.authorize' chain is asked, with the
%% receiver's client info, for a SUBSCRIBE on the direct topic. EMQX's authorization cache cannot be
%% used: it lives in the calling process and its key has no client ID. So decisions are kept here, per
%% connection and topic, for at most the ttl of `authorization.cache'.
-module(tightbeam_authz).

-behaviour(gen_server).

-export([start_link/0, is_allowed/4, may_send/2, remembered/2, is_asking/0, forget/1, clean/0, count/0, create_tables/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(TAB, ?MODULE).
-define(ASKING, '$tightbeam_asking').
-define(SWEEP, 30000).
-define(MAX_SIZE, 200000).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec create_tables() -> ok.
create_tables() ->
    ?TAB = ets:new(?TAB, [ordered_set, named_table, public, {write_concurrency, true}, {read_concurrency, true}, {decentralized_counters, false}]),
    ok.

-spec is_allowed(pid(), map(), binary(), 0..1) -> boolean().
is_allowed(Channel, ClientInfo, Topic, QoS) ->
    case remembered(Channel, Topic) of
        unknown ->
            {Allowed, From} = ask(ClientInfo, Topic, QoS),
            ok = remember(Channel, Topic, Allowed, From, ttl()),
            Allowed;
        Allowed ->
            Allowed
    end.

%% @doc What is known without asking anybody.
-spec remembered(pid(), binary()) -> boolean() | unknown.
remembered(Channel, Topic) ->
    case ttl() > 0 andalso ets:lookup(?TAB, {Channel, Topic}) of
        [{_, Allowed, Until}] ->
            case erlang:monotonic_time(millisecond) < Until of
                true ->
                    tightbeam_metrics:inc('tightbeam.authz.cached'),
                    Allowed;
                false ->
                    unknown
            end;
        _ ->
            unknown
    end.

%% @doc Is the calling process asking on behalf of a receiver? The plugin's own callback refuses every
%% other SUBSCRIBE under `$dm/'.
-spec is_asking() -> boolean().
is_asking() ->
    get(?ASKING) =:= true.

ask(ClientInfo, Topic, QoS) ->
    _ = put(?ASKING, true),
    try
        run(ClientInfo, #{action_type => subscribe, qos => QoS}, Topic)
    after
        erase(?ASKING)
    end.

run(ClientInfo, Action, Topic) ->
    tightbeam_metrics:inc('tightbeam.authz.asked'),
    Default = #{result => emqx:get_config([authorization, no_match], deny), from => default},
    case emqx_hooks:run_fold('client.authorize', [ClientInfo, Action, Topic], Default) of
        #{result := Result} = Answer -> {Result =:= allow, maps:get(from, Answer, unknown)};
        _ -> {false, unknown}
    end.

%% @doc May the sender, a connection of this node, still send what it sent a while ago? Asked anew. If not: has the service
%% said so, and told it as an event?
-spec may_send(pid(), term()) -> true | {false, boolean()}.
may_send(Channel, Msg) ->
    case emqx_cm:do_get_chan_info(emqx_message:from(Msg), Channel) of
        #{clientinfo := ClientInfo} ->
            case run(ClientInfo, #{action_type => publish, qos => emqx_message:qos(Msg), retain => false}, emqx_message:topic(Msg)) of
                {true, _} -> true;
                {false, From} -> {false, From =:= exhook}
            end;
        _ ->
            {false, false}
    end.

%% The guard's refusal says that nobody could be asked, which may be over in a moment.
remember(_Channel, _Topic, _Allowed, From, Ttl) when From =:= tightbeam_guard; Ttl =:= 0 ->
    ok;
remember(Channel, Topic, Allowed, _From, Ttl) ->
    Until = erlang:monotonic_time(millisecond) + Ttl,
    ets:info(?TAB, size) < ?MAX_SIZE andalso ets:insert(?TAB, {{Channel, Topic}, Allowed, Until}),
    ok.

ttl() ->
    case emqx:get_config([authorization, cache], #{}) of
        #{enable := true, ttl := Ttl} when is_integer(Ttl), Ttl > 0 -> Ttl;
        _ -> 0
    end.

%% @doc Called when a connection ends: the next one is judged anew.
-spec forget(pid()) -> ok.
forget(Channel) ->
    try
        true = ets:match_delete(?TAB, {{Channel, '_'}, '_', '_'}),
        ok
    catch
        error:badarg -> ok
    end.

-spec clean() -> ok.
clean() ->
    true = ets:delete_all_objects(?TAB),
    ok.

-spec count() -> non_neg_integer().
count() ->
    ets:info(?TAB, size).

init([]) ->
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {ok, #{}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast(_, State) ->
    {noreply, State}.

handle_info(sweep, State) ->
    Now = erlang:monotonic_time(millisecond),
    _ = ets:select_delete(?TAB, [{{'_', '_', '$1'}, [{'=<', '$1', Now}], [true]}]),
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.
