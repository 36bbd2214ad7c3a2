%% @doc Messages whose receivers are not connected, and may be before a time that their senders named: in memory, on the node
%% of the sender. When the receiver has come, to whatever node (see tightbeam_arrivals), they go to it in the order in which
%% they came; nothing goes after its time, and nothing whose sender is gone. Bounded for each receiver, for each principal
%% and in all. The service waits without a message: it is told that the client is there, and sends then.
-module(tightbeam_connection_waits).

-behaviour(gen_server).

-export([start_link/0, create_tables/0, wait/2, withdraw/1, is_waiting/1, count/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-record(wait, {
    at :: {binary(), integer()} | {binary(), '_'} | '$1',
    job :: tightbeam_delivery:job() | '_',
    %% Was there a session without a connection?
    offline :: boolean() | '_',
    timer :: reference() | '_'
}).

-define(TAB, ?MODULE).
%% {Key, At}
-define(BY_KEY, tightbeam_connection_waits_by_key).
%% {Principal, how many}
-define(BY_PRINCIPAL, tightbeam_connection_waits_by_principal).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec create_tables() -> ok.
create_tables() ->
    ?TAB = ets:new(?TAB, [ordered_set, named_table, public, {keypos, #wait.at}, {decentralized_counters, false}]),
    ?BY_KEY = ets:new(?BY_KEY, [set, named_table, public, {read_concurrency, true}]),
    ?BY_PRINCIPAL = ets:new(?BY_PRINCIPAL, [set, named_table, public]),
    ok.

%% @doc The receiver was found nowhere, or only its session. From any node: it waits on that of its sender, whose clock
%% knows until when.
-spec wait(tightbeam_delivery:job(), IsOffline :: boolean()) -> ok.
wait(#{key := {Sender, _} = Key} = Job, IsOffline) ->
    tightbeam_wire:cast(node(Sender), ?MODULE, wait, #{key => Key, job => Job, offline => IsOffline}).

%% @doc Its sender is gone, or has changed its mind.
-spec withdraw(tightbeam_pending:key()) -> ok.
withdraw(Key) ->
    case is_waiting(Key) of
        true -> gen_server:cast(?MODULE, {withdraw, Key});
        false -> ok
    end.

-spec is_waiting(tightbeam_pending:key()) -> boolean().
is_waiting(Key) ->
    ets:member(?BY_KEY, Key).

-spec count() -> non_neg_integer().
count() ->
    ets:info(?TAB, size).

init([]) ->
    ok = net_kernel:monitor_nodes(true),
    %% After a crash the times have to be watched anew.
    lists:foreach(
        fun(#wait{at = At, job = Job}) -> ets:update_element(?TAB, At, {#wait.timer, set_timer(Job)}) end,
        ets:tab2list(?TAB)
    ),
    {ok, #{}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({withdraw, Key}, State) ->
    _ = take(Key),
    {noreply, State};
handle_cast(Word, State) ->
    case tightbeam_wire:read(Word) of
        {wait, #{job := Job, offline := IsOffline}} -> add(Job, IsOffline);
        {connected, #{clientid := ClientId, node := Node}} -> connected(ClientId, Node);
        {tell, #{node := Node}} -> tell(Node);
        _ -> ok
    end,
    {noreply, State}.

handle_info({over, Key}, State) ->
    case take(Key) of
        {Job, IsOffline} -> over(Job, IsOffline);
        none -> ok
    end,
    {noreply, State};
handle_info({nodeup, Node}, State) ->
    ok = tell(Node),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

tell(Node) ->
    tightbeam_arrivals:expect(lists:usort([ClientId || #wait{at = {ClientId, _}} <- ets:tab2list(?TAB)]), [Node]).

add(#{key := Key, request := #{clientid := ClientId, wait := #{principal := Principal}}, order := Order} = Job, IsOffline) ->
    case {tightbeam_pending:is_open(Key), left(Job)} of
        {false, _} ->
            tightbeam_settle:unwritten(Key, maps:get(place, Job, undefined), puback_timeout);
        {true, Left} when Left < 1 ->
            over(Job, IsOffline);
        {true, _} ->
            case has_room(ClientId, Principal) of
                true ->
                    At = {ClientId, Order},
                    ok = tightbeam_pending:hold(Key, left(Job)),
                    _ = ets:update_counter(?BY_PRINCIPAL, Principal, {2, 1}, {Principal, 0}),
                    IsFirst = number(ClientId) =:= 0,
                    true = ets:insert(?BY_KEY, {Key, At}),
                    true = ets:insert(?TAB, #wait{at = At, job = Job, offline = IsOffline, timer = set_timer(Job)}),
                    %% Its sender may have gone in between.
                    tightbeam_pending:is_open(Key) orelse take(Key),
                    IsFirst andalso tightbeam_arrivals:expect([ClientId], [node() | nodes()]),
                    ok;
                false ->
                    tightbeam_settle:unwritten(Key, maps:get(place, Job, undefined), receiver_throttled)
            end
    end.

has_room(ClientId, Principal) ->
    #{connection_waits_max := Max, connection_waits_max_per_device := MaxOfDevice, connection_waits_max_per_principal := MaxOwn} =
        tightbeam_config:all(),
    count() < Max andalso number(ClientId) < MaxOfDevice andalso own(Principal) < MaxOwn.

number(ClientId) ->
    ets:select_count(?TAB, [{#wait{at = {ClientId, '_'}, _ = '_'}, [], [true]}]).

own(Principal) ->
    case ets:lookup(?BY_PRINCIPAL, Principal) of
        [{_, N}] -> N;
        [] -> 0
    end.

set_timer(#{key := Key} = Job) ->
    erlang:send_after(max(0, left(Job)), ?MODULE, {over, Key}).

left(#{wait_until := Until}) ->
    Until - erlang:monotonic_time(millisecond).

take(Key) ->
    case ets:take(?BY_KEY, Key) of
        [{_, {ClientId, _} = At}] ->
            [#wait{job = Job, offline = IsOffline, timer = Timer}] = ets:take(?TAB, At),
            #{request := #{wait := #{principal := Principal}}} = Job,
            _ = erlang:cancel_timer(Timer, [{async, true}, {info, false}]),
            ets:update_counter(?BY_PRINCIPAL, Principal, {2, -1}) =< 0 andalso ets:delete(?BY_PRINCIPAL, Principal),
            number(ClientId) =:= 0 andalso tightbeam_arrivals:forget(ClientId),
            {Job, IsOffline};
        [] ->
            none
    end.

connected(ClientId, Node) ->
    Keys = [Key || #wait{job = #{key := Key}} <- ets:match_object(?TAB, #wait{at = {ClientId, '_'}, _ = '_'})],
    lists:foreach(
        fun(Key) ->
            {Job, IsOffline} = take(Key),
            case left(Job) > 0 of
                true -> woken(Job, Node);
                false -> over(Job, IsOffline)
            end
        end,
        Keys
    ).

woken(#{key := Key, request := #{is_watch := true}}, _Node) ->
    tightbeam_pending:complete(Key, client_not_connected, #{written => no, connected => true});
woken(#{request := #{timeout := Timeout}} = Job, Node) ->
    Deadline = erlang:monotonic_time(millisecond) + left(Job) + Timeout,
    tightbeam_delivery:woken(Job#{woken => Node, deadline := Deadline, visited := [], offline := false}).

%% It has not come in time.
over(#{key := Key, request := #{clientid := ClientId}} = Job, IsOffline) ->
    HasSession = IsOffline orelse emqx_cm:lookup_channels(ClientId) =/= [] orelse tightbeam_emqx:has_durable_session(ClientId),
    Outcome =
        case HasSession of
            true -> client_offline_with_session;
            false -> client_not_connected
        end,
    tightbeam_settle:unwritten(Key, maps:get(place, Job, undefined), Outcome).
