%% @doc Senders that wait for an outcome. An entry exists before its message is sent; whoever comes
%% first (acknowledgement, drop, disconnect, deadline, shutdown) takes it out of the table with
%% `ets:take' and answers; all the others find nothing. So a packet identifier gets exactly one PUBACK
%% (MQTT 5 section 4.3.2).
-module(tightbeam_pending).

-behaviour(gen_server).

-export([start_link/0, open/1, bind/2, complete/2, complete/3, complete_all/1, extend/2, is_open/1, count/0, create_tables/0]).
-export([hold/2, begun/1, of_packet/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([key/0]).

%% The sender's connection, on the node that holds the entry, and the entry.
-type key() :: {pid(), reference()}.

-define(TAB, ?MODULE).
-define(SENDERS, tightbeam_senders).

%% What may come on top of the timeout (authorization, waiting for room), in milliseconds.
-define(MARGIN, 2000).

-record(entry, {
    %% Ordered by sender: what one has open is found without looking at the others'.
    key :: key() | {pid(), '_'} | '$1' | '_',
    clientid :: binary() | '_',
    %% undefined: QoS 0, the sender gets no answer.
    packet_id :: 1..65535 | undefined | '_',
    timer :: reference() | '_',
    %% Milliseconds, from the delivery to the device.
    timeout :: pos_integer() | '_',
    %% Monotonic microseconds.
    started :: integer() | '_',
    %% The same, from when the timeout counts: later than that where the receiver was waited for.
    begun :: integer() | '_',
    %% The sender is the service: it is told what a PUBACK cannot carry.
    is_service :: boolean() | '_',
    %% The node that the message was sent on to.
    node :: node() | '_',
    report :: tightbeam_report:subject() | '_'
}).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc The tables belong to the supervisor, so that a crash here loses no sender.
-spec create_tables() -> ok.
create_tables() ->
    Opts = [named_table, public, {write_concurrency, true}, {read_concurrency, true}],
    %% How many there are is asked for each message: counters by scheduler, the default here, are slow to read.
    ?TAB = ets:new(?TAB, [ordered_set, {keypos, #entry.key}, {decentralized_counters, false} | Opts]),
    ?SENDERS = ets:new(?SENDERS, [set | Opts]),
    ok.

%% @doc Opens an entry for the calling process, which is the sender's connection. Its deadline runs on the monotonic clock
%% from here on, whatever the message then goes through; where the message is written later than now, it is put off by
%% as much ({@link extend/2}), by 2 s at most. One that may wait for its receiver (`wait', in milliseconds) has its deadline
%% from the moment in which that is there ({@link begun/1}).
-spec open(#{
    clientid := binary(),
    packet_id := 1..65535 | undefined,
    timeout := pos_integer(),
    wait := non_neg_integer(),
    is_service := boolean(),
    report := tightbeam_report:subject()
}) ->
    {ok, key()} | {error, broker_busy}.
open(#{clientid := ClientId, packet_id := PacketId, timeout := Timeout, wait := Wait, is_service := IsService, report := Report}) ->
    case count() < tightbeam_config:get(max_pending) of
        true ->
            Sender = self(),
            Key = {Sender, make_ref()},
            ets:insert_new(?SENDERS, {Sender}) andalso gen_server:cast(?MODULE, {watch, Sender}),
            Timer =
                case Wait of
                    0 -> erlang:send_after(Timeout, ?MODULE, {deadline, Key});
                    _ -> erlang:send_after(Wait + Timeout + ?MARGIN, ?MODULE, {overdue, Key})
                end,
            Now = erlang:monotonic_time(microsecond),
            true = ets:insert_new(?TAB, #entry{
                key = Key,
                clientid = ClientId,
                packet_id = PacketId,
                timer = Timer,
                timeout = Timeout,
                is_service = IsService,
                started = Now,
                begun = Now,
                node = node(),
                report = Report
            }),
            {ok, Key};
        false ->
            {error, broker_busy}
    end.

%% @doc Notes that the message went to another node: if that node dies, the sender is told at once.
-spec bind(key(), node()) -> ok.
bind({Sender, _} = Key, Target) when node(Sender) =:= node() ->
    _ = ets:update_element(?TAB, Key, {#entry.node, Target}),
    %% It may have died before the entry said so.
    case lists:member(Target, [node() | nodes()]) of
        true -> ok;
        false -> complete(Key, receiver_disconnected)
    end;
bind({Sender, _} = Key, Target) ->
    tightbeam_wire:cast(node(Sender), ?MODULE, bind, #{key => Key, node => Target}).

%% @doc Answers the sender, once; from any process on any node. Details: what is known beyond the outcome, see
%% tightbeam_puback.
-spec complete(key(), tightbeam_outcome:outcome()) -> ok.
complete(Key, Outcome) ->
    complete(Key, Outcome, #{}).

-spec complete(key(), tightbeam_outcome:outcome(), map()) -> ok.
complete({Sender, _} = Key, Outcome, Details) when node(Sender) =:= node() ->
    try ets:take(?TAB, Key) of
        [Entry] -> answer(Entry, Outcome, Details);
        [] -> ok
    catch
        %% The plugin has been stopped: everybody has been answered.
        error:badarg -> ok
    end;
complete({Sender, _} = Key, Outcome, Details) ->
    tightbeam_wire:cast(node(Sender), ?MODULE, complete, #{key => Key, outcome => Outcome, details => Details}).

%% @doc Puts the deadline off by so many milliseconds, as far as the whole may take.
-spec extend(key(), pos_integer()) -> ok.
extend({Sender, _} = Key, Milliseconds) when node(Sender) =:= node() ->
    try ets:lookup(?TAB, Key) of
        [#entry{begun = Begun, timeout = Timeout}] ->
            Left = Timeout + ?MARGIN - (erlang:monotonic_time(microsecond) - Begun) div 1000,
            set_timer(Key, deadline, max(0, min(Milliseconds, Left)));
        [] ->
            ok
    catch
        error:badarg -> ok
    end;
extend({Sender, _} = Key, Milliseconds) ->
    tightbeam_wire:cast(node(Sender), ?MODULE, extend, #{key => Key, by => Milliseconds}).

%% @doc It waits for its receiver, for so many milliseconds: on this node. What was bound elsewhere is not any more.
-spec hold(key(), pos_integer()) -> ok.
hold(Key, Wait) ->
    case ets:lookup(?TAB, Key) of
        [#entry{timer = Timer, timeout = Timeout}] ->
            _ = erlang:cancel_timer(Timer, [{async, true}, {info, false}]),
            _ = ets:update_element(?TAB, Key, {#entry.node, node()}),
            set_timer(Key, overdue, Wait + Timeout + ?MARGIN);
        [] ->
            ok
    end.

%% @doc The receiver of a message that may wait for it is there: the timeout counts from now on.
-spec begun(key()) -> ok.
begun({Sender, _} = Key) when node(Sender) =:= node() ->
    case ets:lookup(?TAB, Key) of
        [#entry{timer = Timer, timeout = Timeout}] ->
            _ = erlang:cancel_timer(Timer, [{async, true}, {info, false}]),
            _ = ets:update_element(?TAB, Key, {#entry.begun, erlang:monotonic_time(microsecond)}),
            set_timer(Key, deadline, Timeout);
        [] ->
            ok
    end;
begun({Sender, _} = Key) ->
    tightbeam_wire:cast(node(Sender), ?MODULE, begun, #{key => Key}).

%% @doc The entry of a PUBLISH of the calling process.
-spec of_packet(1..65535) -> {ok, key()} | none.
of_packet(PacketId) ->
    case keys(#entry{key = {self(), '_'}, packet_id = PacketId, _ = '_'}) of
        [Key] -> {ok, Key};
        [] -> none
    end.

set_timer(Key, What, Milliseconds) ->
    Timer = erlang:send_after(Milliseconds, ?MODULE, {What, Key}),
    _ = ets:update_element(?TAB, Key, {#entry.timer, Timer}),
    ok.

not_handed(true) -> no;
not_handed(false) -> unknown.

-spec complete_all(tightbeam_outcome:outcome()) -> ok.
complete_all(Outcome) ->
    lists:foreach(
        fun(#entry{key = Key}) -> complete(Key, Outcome, written(Key)) end,
        ets:tab2list(?TAB)
    ).

written(Key) ->
    case tightbeam_settle:under_way(Key) of
        #{state := {_, _}} -> #{written => yes};
        #{state := waiting} -> #{written => no};
        undefined -> #{written => not_handed(tightbeam_connection_waits:is_waiting(Key))};
        _ -> #{written => unknown}
    end.

%% @doc Is anybody still waiting? For an entry on another node: perhaps.
-spec is_open(key()) -> boolean().
is_open({Sender, _} = Key) when node(Sender) =:= node() -> ets:member(?TAB, Key);
is_open(_) -> true.

-spec count() -> non_neg_integer().
count() ->
    ets:info(?TAB, size).

answer(#entry{key = {Sender, _}, clientid = ClientId, packet_id = PacketId, timer = Timer, is_service = IsService} = Entry, Outcome, Details) ->
    _ = erlang:cancel_timer(Timer, [{async, true}, {info, false}]),
    PacketId =:= undefined orelse
        tightbeam_puback:send(#{channel => Sender, clientid => ClientId, packet_id => PacketId, is_service => IsService}, Outcome, Details),
    tightbeam_metrics:inc(tightbeam_outcome:counter(Outcome)),
    Duration = erlang:monotonic_time(microsecond) - Entry#entry.started,
    %% What the service has refused it has told itself.
    maps:get(is_told, Details, false) orelse tightbeam_report:send(Entry#entry.report, Outcome, Duration),
    ok.

init([]) ->
    ok = net_kernel:monitor_nodes(true),
    %% After a crash the senders have to be watched anew.
    lists:foreach(fun({Pid}) -> monitor(process, Pid) end, ets:tab2list(?SENDERS)),
    {ok, #{}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({watch, Sender}, State) ->
    _ = monitor(process, Sender),
    {noreply, State};
handle_cast(Word, State) ->
    case tightbeam_wire:read(Word) of
        {complete, #{key := Key, outcome := Outcome} = Fields} ->
            complete(Key, tightbeam_outcome:known(Outcome), maps:get(details, Fields, #{}));
        {extend, #{key := Key, by := Milliseconds}} -> extend(Key, Milliseconds);
        {begun, #{key := Key}} -> begun(Key);
        {bind, #{key := Key, node := Target}} -> bind(Key, Target);
        _ -> ok
    end,
    {noreply, State}.

%% Where the receiver is knows whether anything was written, and since when; it answers.
handle_info({deadline, Key}, State) ->
    case ets:lookup(?TAB, Key) of
        [#entry{begun = Begun, timeout = Timeout, node = Node}] ->
            Left = Timeout + ?MARGIN - (erlang:monotonic_time(microsecond) - Begun) div 1000,
            ok = set_timer(Key, overdue, max(0, Left)),
            case Node =:= node() of
                true when Left > 0 -> tightbeam_settle:deadline(Key, Timeout);
                true -> ok;
                false -> tightbeam_wire:cast(Node, tightbeam_inflight, deadline, #{key => Key, timeout => Timeout})
            end;
        [] ->
            ok
    end,
    {noreply, State};
handle_info({overdue, Key}, State) ->
    ok = tightbeam_settle:overdue(Key),
    {noreply, State};
handle_info({'DOWN', _, process, Sender, _}, State) ->
    true = ets:delete(?SENDERS, Sender),
    lists:foreach(fun drop/1, keys(#entry{key = {Sender, '_'}, _ = '_'})),
    {noreply, State};
handle_info({nodedown, Node}, State) ->
    lists:foreach(fun(Key) -> complete(Key, receiver_disconnected) end, keys(#entry{node = Node, _ = '_'})),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

keys(Pattern) ->
    [Key || #entry{key = Key} <- ets:match_object(?TAB, Pattern)].

%% Nobody is left to be answered; what became of the message is not known and not guessed.
drop(Key) ->
    case ets:take(?TAB, Key) of
        [#entry{timer = Timer}] ->
            _ = erlang:cancel_timer(Timer, [{async, true}, {info, false}]),
            _ = tightbeam_joined:leave(Key),
            ok = tightbeam_connection_waits:withdraw(Key),
            tightbeam_metrics:inc('tightbeam.direct.sender_gone');
        [] ->
            ok
    end.
