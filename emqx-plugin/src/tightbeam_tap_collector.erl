%% @doc Gathers the events of connections, and tells them to the service, many in one call and one call at a time. There are
%% two, and a client is always told of by the same: its events stay in order. What does not fit is counted and lost. They
%% share nothing with the outcomes of direct messages (tightbeam_report), which go out however full these are.
-module(tightbeam_tap_collector).

-behaviour(gen_server).

-export([start_link/1, names/0, create_queue/0, collect/2, waiting/0, flush/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(COLLECTORS, 2).
-define(QUEUE, {?MODULE, queue}).
%% Most events that wait for each collector, with those in its call: together some 10 MB.
-define(MAX_QUEUE, 20000).
%% Most events in a call, and the longest that one waits for others, in milliseconds.
-define(BATCH, 500).
-define(LINGER, 100).
%% Bytes of events after which a call goes out as it is: topics can be long, and gRPC takes 4 MiB.
-define(BATCH_BYTES, 262144).
-define(CONNECT_BYTES, 512).

-record(state, {
    number :: pos_integer(),
    %% Newest first: encoded, but for connections, of whose will EMQX's table of channels knows a moment later.
    gathered = [] :: [{tightbeam_tap:type(), binary() | tightbeam_tap:event()}],
    count = 0 :: non_neg_integer(),
    bytes = 0 :: non_neg_integer(),
    timer :: reference() | undefined
}).

-spec start_link(pos_integer()) -> {ok, pid()} | {error, term()}.
start_link(Number) ->
    gen_server:start_link({local, name(Number)}, ?MODULE, Number, []).

-spec names() -> [{pos_integer(), atom()}].
names() ->
    [{Number, name(Number)} || Number <- lists:seq(1, ?COLLECTORS)].

name(1) -> tightbeam_tap_collector_1;
name(2) -> tightbeam_tap_collector_2.

-spec create_queue() -> ok.
create_queue() ->
    persistent_term:put(?QUEUE, atomics:new(?COLLECTORS, [])).

%% @doc From a connection's process.
-spec collect(tightbeam_tap:type(), tightbeam_tap:event()) -> ok.
collect(Type, {_, _, Who, _} = Event) ->
    Number = erlang:phash2(tightbeam_tap_who:id(Who), ?COLLECTORS) + 1,
    Queue = persistent_term:get(?QUEUE),
    case atomics:add_get(Queue, Number, 1) of
        N when N =< ?MAX_QUEUE ->
            try
                _ = name(Number) ! Event,
                ok
            catch
                %% It is being started again.
                error:badarg -> lost(Type, Queue, Number)
            end;
        _ ->
            lost(Type, Queue, Number)
    end.

lost(Type, Queue, Number) ->
    ok = atomics:sub(Queue, Number, 1),
    tightbeam_tap_counts:missed(Type, 1).

%% @doc Events that wait, over all collectors.
-spec waiting() -> non_neg_integer().
waiting() ->
    lists:sum([atomics:get(persistent_term:get(?QUEUE), Number) || {Number, _} <- names()]).

%% @doc Waits until what is gathered has been told, or for two seconds.
-spec flush() -> ok.
flush() ->
    lists:foreach(
        fun({_, Name}) ->
            try
                gen_server:call(Name, flush, 2000)
            catch
                exit:_ -> ok
            end
        end,
        names()
    ).

init(Number) ->
    %% What waits in the mailbox is not copied when this process collects garbage.
    _ = process_flag(message_queue_data, off_heap),
    %% What waited for an earlier one is lost with it.
    ok = atomics:put(persistent_term:get(?QUEUE), Number, 0),
    {ok, #state{number = Number}}.

handle_call(flush, _From, State) ->
    {reply, ok, tell(State)};
handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast(_, State) ->
    {noreply, State}.

handle_info({timeout, Timer, linger}, #state{timer = Timer} = State) ->
    {noreply, tell(State#state{timer = undefined})};
handle_info({_Type, _At, _Who, _Facts} = Event, State) ->
    {noreply, started(drain(add(Event, State)))};
handle_info(_, State) ->
    {noreply, State}.

%% What is there already, without a turn of the server for each.
drain(#state{count = Count, bytes = Bytes} = State) when Count >= ?BATCH; Bytes >= ?BATCH_BYTES ->
    drain(tell(State));
drain(State) ->
    receive
        {_Type, _At, _Who, _Facts} = Event -> drain(add(Event, State))
    after 0 -> State
    end.

started(#state{count = 0} = State) -> State;
started(#state{timer = undefined} = State) -> State#state{timer = erlang:start_timer(?LINGER, self(), linger)};
started(State) -> State.

add({connect, _, _, _} = Event, State) ->
    gather(connect, Event, ?CONNECT_BYTES, State);
add({Type, _, _, _} = Event, State) ->
    case encode(Event) of
        {ok, Json} -> gather(Type, Json, byte_size(Json), State);
        error -> missed(State, [Type])
    end.

gather(Type, Item, Size, #state{gathered = Gathered, count = Count, bytes = Bytes} = State) ->
    State#state{gathered = [{Type, Item} | Gathered], count = Count + 1, bytes = Bytes + Size}.

encode(Json) when is_binary(Json) ->
    {ok, Json};
encode(Event) ->
    try
        {ok, iolist_to_binary(tightbeam_tap_event:encode(Event))}
    catch
        _:_ -> error
    end.

tell(#state{count = 0} = State) ->
    State;
tell(#state{number = Number, gathered = Gathered} = State0) ->
    Written = [{Type, encode(Item)} || {Type, Item} <- lists:reverse(Gathered)],
    State = missed(State0#state{gathered = [], count = 0, bytes = 0}, [Type || {Type, error} <- Written]),
    Types = [Type || {Type, {ok, _}} <- Written],
    case Types =:= [] orelse tightbeam_provider:tell([$[, lists:join($,, [Json || {_, {ok, Json}} <- Written]), $]], Number) of
        error ->
            missed(State, Types);
        _ ->
            Count = length(Types),
            tightbeam_metrics:inc('tightbeam.tap.told', Count),
            ok = atomics:sub(persistent_term:get(?QUEUE), Number, Count),
            State
    end.

missed(State, []) ->
    State;
missed(#state{number = Number} = State, Types) ->
    ok = atomics:sub(persistent_term:get(?QUEUE), Number, length(Types)),
    Counts = lists:foldl(fun(Type, Acc) -> maps:update_with(Type, fun(N) -> N + 1 end, 1, Acc) end, #{}, Types),
    maps:foreach(fun tightbeam_tap_counts:missed/2, Counts),
    State.
