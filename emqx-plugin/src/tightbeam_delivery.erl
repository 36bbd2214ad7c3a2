%% @doc Takes a direct message to its receiver's connection. Work is spread over workers by the
%% receiver's client ID: messages to one device stay in order, and a slow authorization holds up
%% neither the sender's connection nor (but for those that share the worker) other devices.
-module(tightbeam_delivery).

-behaviour(gen_server).

-export([start_link/1, name/1, pool_size/0, dispatch/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-record(job, {
    key :: tightbeam_pending:key(),
    msg :: term(),
    request :: tightbeam_request:request(),
    %% Monotonic milliseconds of the node that works on it.
    deadline :: integer(),
    %% System time in milliseconds at which the sender's PUBLISH came.
    received :: integer(),
    visited = [] :: [node()],
    %% Has a session without a connection been seen on the way?
    offline = false :: boolean()
}).

%% The same on every node: a worker's name is also its address on another node.
-define(POOL_SIZE, 64).

-spec start_link(non_neg_integer()) -> {ok, pid()} | {error, term()}.
start_link(N) ->
    gen_server:start_link({local, name(N)}, ?MODULE, [], []).

-spec name(non_neg_integer()) -> atom().
name(N) ->
    list_to_atom("tightbeam_delivery_" ++ integer_to_list(N)).

-spec pool_size() -> pos_integer().
pool_size() ->
    ?POOL_SIZE.

%% @doc Hands a message over to a worker; its pending entry is open already.
-spec dispatch(tightbeam_pending:key(), term(), tightbeam_request:request()) -> ok.
dispatch(Key, Msg, #{timeout := Timeout} = Request) ->
    Job = #job{
        key = Key,
        msg = Msg,
        request = Request,
        deadline = erlang:monotonic_time(millisecond) + Timeout,
        received = erlang:system_time(millisecond)
    },
    gen_server:cast(worker(Request), {deliver, Job}).

worker(#{clientid := ClientId}) ->
    name(erlang:phash2(ClientId, ?POOL_SIZE)).

init([]) ->
    {ok, #{}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({deliver, Job}, State) ->
    ok = work(Job),
    {noreply, State};
handle_cast({forwarded, Remaining, Job}, State) ->
    ok = work(Job#job{deadline = erlang:monotonic_time(millisecond) + Remaining}),
    {noreply, State};
handle_cast(_, State) ->
    {noreply, State}.

handle_info(_, State) ->
    {noreply, State}.

work(#job{key = Key} = Job) ->
    %% A sender that has its answer already (deadline, disconnect) is not worked for.
    case tightbeam_pending:is_open(Key) andalso remaining(Job) > 0 of
        false ->
            ok;
        true ->
            try
                locate(Job)
            catch
                Class:Reason:Stacktrace ->
                    logger:error(#{
                        msg => "tightbeam_delivery_failed",
                        class => Class,
                        reason => Reason,
                        stacktrace => Stacktrace
                    }),
                    tightbeam_pending:complete(Key, stopped)
            end
    end.

%% A connection of this node first; else the next node on which the client ID is known. Two channels
%% of one client ID are there for a moment during a takeover: the latest connection counts.
locate(#job{key = Key, request = #{clientid := ClientId}, visited = Visited0, offline = Offline0} = Job) ->
    Channels = emqx_cm:lookup_channels(ClientId),
    Local = [{Pid, emqx_cm:do_get_chan_info(ClientId, Pid)} || Pid <- Channels, node(Pid) =:= node()],
    Visited = [node() | Visited0],
    Offline = Offline0 orelse lists:any(fun is_offline/1, Local),
    case {connected(Local), lists:usort([node(Pid) || Pid <- Channels]) -- Visited} of
        {[{Pid, Info} | _], _} -> authorize(Pid, Info, Job);
        {[], [Node | _]} -> forward(Node, Job#job{visited = Visited, offline = Offline});
        {[], []} -> tightbeam_pending:complete(Key, absent(Offline orelse has_durable_session(ClientId)))
    end.

absent(true) -> client_offline_with_session;
absent(false) -> client_not_connected.

is_offline({_Pid, #{conn_state := disconnected}}) -> true;
is_offline(_) -> false.

connected(Channels) ->
    lists:sort(
        fun({_, A}, {_, B}) -> connected_at(A) >= connected_at(B) end,
        [{Pid, Info} || {Pid, #{conn_state := connected} = Info} <- Channels]
    ).

connected_at(Info) ->
    maps:get(connected_at, maps:get(conninfo, Info, #{}), 0).

%% Durable sessions (an option of EMQX 5.7 and later) have no process while the client is away.
has_durable_session(ClientId) ->
    try
        emqx_persistent_message:is_persistence_enabled() andalso
            emqx_persistent_session_ds:print_session(ClientId) =/= undefined
    catch
        _:_ -> false
    end.

forward(Node, #job{key = Key, request = Request} = Job) ->
    ok = tightbeam_pending:bind(Key, Node),
    gen_server:cast({worker(Request), Node}, {forwarded, remaining(Job), Job}).

authorize(Pid, #{clientinfo := ClientInfo} = Info, #job{msg = Msg, request = #{qos := QoS}} = Job) ->
    case tightbeam_authz:is_allowed(Pid, ClientInfo, emqx_message:topic(Msg), QoS) of
        true -> send(Pid, Info, Job);
        false -> tightbeam_pending:complete(Job#job.key, receiver_not_authorized)
    end.

send(Pid, Info, #job{key = Key, msg = Msg, request = Request, received = Received} = Job) ->
    case remaining(Job) of
        Remaining when Remaining > 0 ->
            Direct = tightbeam_message:make(Msg, Request, #{
                key => Key,
                remaining => Remaining,
                received => Received,
                mountpoint => maps:get(mountpoint, maps:get(clientinfo, Info), undefined)
            }),
            case tightbeam_message:fits(Direct, maps:get(conninfo, Info, #{})) of
                true -> hand_over(Pid, Direct, Job);
                false -> tightbeam_pending:complete(Key, payload_too_large)
            end;
        _ ->
            %% Authorization took longer than the sender waits; the deadline has answered.
            ok
    end.

%% The channel delivers under the direct topic, to which nobody can be subscribed: with the delivered
%% topic a subscription of the device to it would change the QoS and add its subscription identifier.
hand_over(Pid, Direct, #job{key = Key, msg = Msg, deadline = Deadline, request = #{clientid := ClientId}}) ->
    ok = tightbeam_inflight:add(Pid, Key, Deadline),
    _ = Pid ! {deliver, emqx_message:topic(Msg), Direct},
    %% It may have disconnected before the entry could be seen by the callback that ends it.
    case emqx_cm:do_get_chan_info(ClientId, Pid) of
        #{conn_state := connected} -> ok;
        _ -> tightbeam_inflight:gone(Pid)
    end.

remaining(#job{deadline = Deadline}) ->
    Deadline - erlang:monotonic_time(millisecond).
