%% @doc Takes a direct message to its receiver's connection: at once, from the sender's own, where
%% nothing has to be waited for. Else by a worker, chosen by the receiver's client ID: messages to one
%% device stay in order, and a slow authorization holds up neither the sender's connection nor (but
%% for those that share the worker) other devices. Whatever has to be decided about one device by one alone is
%% decided by its worker: who joins whom, and whose turn it is when there is room.
-module(tightbeam_delivery).

-behaviour(gen_server).

-export([start_link/1, name/1, name_of/1, pool_size/0, dispatch/3, create_counters/0]).
-export([back/1, withdraw/1, woken/1, room/2, stop/0, is_stopping/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([job/0]).

%% Everything in it can go to another node, see tightbeam_wire.
-type job() :: #{
    key := tightbeam_pending:key(),
    msg := term(),
    request := tightbeam_request:request(),
    %% Monotonic milliseconds of the node that works on it.
    deadline := integer(),
    %% Order among those that wait.
    sequence := integer(),
    %% System time in milliseconds at which the sender's PUBLISH came.
    received := integer(),
    visited := [node()],
    %% Nodes that were said to know its identity.
    followed := [node()],
    %% Has a session without a connection been seen on the way?
    offline := boolean(),
    %% How often nobody of that client ID was found.
    missed := non_neg_integer(),
    %% Have the other nodes been asked what they remember?
    gathered := boolean(),
    %% Where its identity is open.
    place => tightbeam_identity:place(),
    %% Until when it may wait for its receiver, in monotonic milliseconds of its sender's node; and, when it has waited, on
    %% which node the receiver has come. `order': its sequence on that node.
    wait_until => integer(),
    order => integer(),
    woken => node()
}.

%% The same on every node: a worker's name is also its address on another node.
-define(POOL_SIZE, 64).
%% How many messages of this node each worker has before it: a sender whose message waits there must
%% not overtake it. The last one: the plugin stops.
-define(COUNTERS, {tightbeam, delivery_counters}).
-define(STOPPING, (?POOL_SIZE + 1)).
%% How long other nodes are waited for that may remember something, in milliseconds.
-define(GATHER, 500).
%% A connection that has just ended may be back in a moment.
-define(AGAIN, 20).

-spec start_link(non_neg_integer()) -> {ok, pid()} | {error, term()}.
start_link(N) ->
    gen_server:start_link({local, name(N)}, ?MODULE, N, []).

-spec name(non_neg_integer()) -> atom().
name(N) ->
    list_to_atom("tightbeam_delivery_" ++ integer_to_list(N)).

%% @doc The worker of a client ID.
-spec name_of(binary()) -> atom().
name_of(ClientId) ->
    name(number(ClientId)).

number(ClientId) ->
    erlang:phash2(ClientId, ?POOL_SIZE).

-spec pool_size() -> pos_integer().
pool_size() ->
    ?POOL_SIZE.

-spec create_counters() -> ok.
create_counters() ->
    persistent_term:put(?COUNTERS, atomics:new(?POOL_SIZE + 1, [])).

%% @doc The plugin stops: nothing more is handed over.
-spec stop() -> ok.
stop() ->
    atomics:put(persistent_term:get(?COUNTERS), ?STOPPING, 1).

-spec is_stopping() -> boolean().
is_stopping() ->
    atomics:get(persistent_term:get(?COUNTERS), ?STOPPING) =:= 1.

%% @doc Takes a message to its receiver, or to a worker; its pending entry is open already.
-spec dispatch(tightbeam_pending:key(), term(), tightbeam_request:request()) -> ok.
dispatch(Key, Msg, #{timeout := Timeout, clientid := ClientId} = Request) ->
    Plain = #{
        key => Key,
        msg => Msg,
        request => Request,
        deadline => erlang:monotonic_time(millisecond) + Timeout,
        sequence => erlang:unique_integer([monotonic, positive]),
        received => erlang:system_time(millisecond),
        visited => [],
        followed => [],
        offline => false,
        missed => 0,
        gathered => false
    },
    case Request of
        #{is_watch := true, wait := #{ms := Wait}} ->
            tightbeam_connection_waits:wait(may_wait(Wait, Plain), false);
        #{wait := #{ms := Wait}} ->
            dispatch(ClientId, may_wait(Wait, Plain));
        _ ->
            dispatch(ClientId, Plain)
    end.

may_wait(Wait, #{deadline := Deadline, sequence := Sequence} = Job) ->
    Job#{wait_until => erlang:monotonic_time(millisecond) + Wait, deadline := Deadline + Wait, order => Sequence}.

dispatch(ClientId, Job) ->
    N = number(ClientId),
    case atomics:get(persistent_term:get(?COUNTERS), N + 1) =:= 0 andalso guarded(Job, fun tightbeam_locate:at_once/1) of
        Done when Done =:= true; Done =:= ok -> ok;
        _ -> to_worker(N, Job)
    end.

to_worker(N, Job) ->
    ok = atomics:add(persistent_term:get(?COUNTERS), N + 1, 1),
    gen_server:cast(name(N), {deliver, Job}).

%% @doc The receiver that it waited for has come.
-spec woken(job()) -> ok.
woken(#{request := #{clientid := ClientId}} = Job) ->
    to_worker(number(ClientId), Job).

%% @doc It was not written, and the connection that it was for is gone: it is looked for again.
-spec back(tightbeam_inflight:attempt()) -> ok.
back(#{key := Key, job := #{request := #{clientid := ClientId}}}) ->
    gen_server:cast(name_of(ClientId), {back, Key});
back(_) ->
    ok.

%% @doc The time of its sender is over while it waits for room.
-spec withdraw(tightbeam_inflight:attempt()) -> ok.
withdraw(#{key := Key, job := #{request := #{clientid := ClientId}}}) ->
    gen_server:cast(name_of(ClientId), {withdraw, Key}).

%% @doc A connection for which messages wait has had something acknowledged.
-spec room(binary(), pid()) -> ok.
room(ClientId, Channel) ->
    gen_server:cast(name_of(ClientId), {room, Channel}).

%% gathering: jobs by client ID, and the nodes that have not answered; trying: what is on its way out of those that
%% waited.
init(N) ->
    ok = atomics:put(persistent_term:get(?COUNTERS), N + 1, 0),
    {ok, #{number => N, gathering => #{}, trying => #{}}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({deliver, Job}, #{number := N} = State0) ->
    State = work(Job, State0),
    ok = atomics:sub(persistent_term:get(?COUNTERS), N + 1, 1),
    {noreply, State};
handle_cast({back, Key}, State) ->
    ok = come_back(Key, 0),
    {noreply, State};
handle_cast({withdraw, Key}, State) ->
    ok = tightbeam_handover:withdraw(Key),
    {noreply, State};
handle_cast({room, Channel}, State) ->
    {noreply, turn(Channel, State)};
handle_cast(Word, State) ->
    case tightbeam_wire:read(Word) of
        {deliver, #{remaining := Remaining, request := Request} = Fields} ->
            Job = maps:merge(
                #{followed => [], gathered => false}, Fields#{
                    request := maps:merge(#{identity => undefined}, Request),
                    deadline => erlang:monotonic_time(millisecond) + Remaining,
                    sequence => erlang:unique_integer([monotonic, positive]),
                    missed => 0
                }
            ),
            {noreply, work(Job, State)};
        {gathered, #{clientid := ClientId, entries := Entries, from := Node}} ->
            ok = tightbeam_identity:import(Entries),
            {noreply, gathered(ClientId, Node, State)};
        _ ->
            {noreply, State}
    end.

handle_info({{tightbeam, Key}, Answer}, #{trying := Trying} = State) ->
    case {Answer, Trying} of
        {shared_sub_ack, #{Key := Channel}} -> {noreply, turn(Channel, State#{trying := maps:remove(Key, Trying)})};
        {shared_sub_ack, _} -> {noreply, State};
        {{shared_sub_nack, Reason}, _} -> {noreply, refused(Key, Reason, State)};
        _ -> {noreply, State}
    end;
handle_info({again, Job}, State) ->
    {noreply, work(Job, State)};
handle_info({gather_over, ClientId}, State) ->
    {noreply, gathered(ClientId, all, State)};
handle_info(_, State) ->
    {noreply, State}.

%% No room: it waits, and has its turn. It may have been acknowledged for in between, so the first that waits is
%% tried at once.
refused(Key, dropped, #{trying := Trying} = State) ->
    IsTried = is_map_key(Key, Trying),
    case tightbeam_handover:wait(Key, IsTried) of
        {waits, Channel} when not IsTried -> turn(Channel, State);
        _ -> State#{trying := maps:remove(Key, Trying)}
    end;
refused(Key, _NoConnection, #{trying := Trying} = State) ->
    ok = come_back(Key, ?AGAIN),
    State#{trying := maps:remove(Key, Trying)}.

turn(Channel, #{trying := Trying} = State) ->
    case not lists:member(Channel, maps:values(Trying)) andalso tightbeam_handover:next(Channel) of
        {ok, Key} -> State#{trying := Trying#{Key => Channel}};
        _ -> State
    end.

come_back(Key, After) ->
    case tightbeam_handover:take_back(Key) of
        {ok, Job} ->
            _ = erlang:send_after(After, self(), {again, Job}),
            ok;
        none ->
            ok
    end.

work(Job, #{gathering := Gathering} = State) ->
    case guarded(Job, fun tightbeam_locate:locate/1) of
        {gather, #{request := #{clientid := ClientId}} = Later} ->
            case Gathering of
                #{ClientId := {Nodes, Jobs}} -> State#{gathering := Gathering#{ClientId := {Nodes, [Later | Jobs]}}};
                _ -> gather(ClientId, Later, State)
            end;
        {again, After, Later} ->
            _ = erlang:send_after(After, self(), {again, Later}),
            State;
        _ ->
            State
    end.

gather(ClientId, Job, #{gathering := Gathering, number := N} = State) ->
    Question = #{clientid => ClientId, process => name(N), node => node()},
    [tightbeam_wire:cast(Node, tightbeam_identity, gather, Question) || Node <- nodes()],
    _ = erlang:send_after(?GATHER, self(), {gather_over, ClientId}),
    State#{gathering := Gathering#{ClientId => {nodes(), [Job]}}}.

gathered(ClientId, Node, #{gathering := Gathering} = State) ->
    case Gathering of
        #{ClientId := {Nodes, Jobs}} when Node =:= all; Nodes =:= [Node] ->
            lists:foldl(
                fun(Job, S) -> work(Job#{gathered := true}, S) end,
                State#{gathering := maps:remove(ClientId, Gathering)},
                lists:reverse(Jobs)
            );
        #{ClientId := {Nodes, Jobs}} ->
            State#{gathering := Gathering#{ClientId := {lists:delete(Node, Nodes), Jobs}}};
        _ ->
            State
    end.

%% Whatever happens, the sender gets its answer.
guarded(#{key := Key} = Job, Fun) ->
    try
        Fun(Job)
    catch
        Class:Reason:Stacktrace ->
            logger:error(#{
                msg => "tightbeam_delivery_failed",
                class => Class,
                reason => Reason,
                stacktrace => Stacktrace
            }),
            tightbeam_settle:outcome(Key, maps:get(place, Job, undefined), failed, #{})
    end.
