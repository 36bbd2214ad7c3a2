%% @doc Senders that wait for an outcome. An entry exists before its message is sent; whoever comes
%% first (acknowledgement, drop, disconnect, deadline, shutdown) takes it out of the table with
%% `ets:take' and answers; all the others find nothing. So a packet identifier gets exactly one PUBACK
%% (MQTT 5 section 4.3.2).
-module(tightbeam_pending).

-behaviour(gen_server).

-export([start_link/0, open/1, bind/2, complete/2, complete_all/1, is_open/1, count/0, create_tables/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([key/0]).

%% The node that holds the entry, and the entry.
-type key() :: {node(), reference()}.

-define(TAB, ?MODULE).
-define(SENDERS, tightbeam_senders).

-record(entry, {
    ref :: reference() | '_',
    sender :: pid() | '$1' | '_',
    %% undefined: QoS 0, the sender gets no answer.
    packet_id :: 1..65535 | undefined | '_',
    timer :: reference() | '_',
    started :: integer() | '_',
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
    ?TAB = ets:new(?TAB, [set, {keypos, #entry.ref} | Opts]),
    ?SENDERS = ets:new(?SENDERS, [set | Opts]),
    ok.

%% @doc Opens an entry for the calling process, which is the sender's connection. Its one deadline
%% runs on the monotonic clock from here on, whatever the message then goes through.
-spec open(#{packet_id := 1..65535 | undefined, timeout := pos_integer(), report := tightbeam_report:subject()}) ->
    {ok, key()} | {error, broker_busy}.
open(#{packet_id := PacketId, timeout := Timeout, report := Report}) ->
    case count() < tightbeam_config:get(max_pending) of
        true ->
            Ref = make_ref(),
            Sender = self(),
            ets:insert_new(?SENDERS, {Sender}) andalso gen_server:cast(?MODULE, {watch, Sender}),
            Timer = erlang:send_after(Timeout, ?MODULE, {deadline, Ref}),
            true = ets:insert_new(?TAB, #entry{
                ref = Ref,
                sender = Sender,
                packet_id = PacketId,
                timer = Timer,
                started = erlang:monotonic_time(microsecond),
                node = node(),
                report = Report
            }),
            {ok, {node(), Ref}};
        false ->
            {error, broker_busy}
    end.

%% @doc Notes that the message went to another node: if that node dies, the sender is told at once.
-spec bind(key(), node()) -> ok.
bind({Node, Ref}, Target) when Node =:= node() ->
    _ = ets:update_element(?TAB, Ref, {#entry.node, Target}),
    %% It may have died before the entry said so.
    case lists:member(Target, [node() | nodes()]) of
        true -> ok;
        false -> complete({Node, Ref}, receiver_disconnected)
    end;
bind({Node, _} = Key, Target) ->
    gen_server:cast({?MODULE, Node}, {bind, Key, Target}).

%% @doc Answers the sender, once; from any process on any node.
-spec complete(key(), tightbeam_outcome:outcome()) -> ok.
complete({Node, Ref}, Outcome) when Node =:= node() ->
    try ets:take(?TAB, Ref) of
        [Entry] -> answer(Entry, Outcome);
        [] -> ok
    catch
        %% The plugin has been stopped: everybody has been answered.
        error:badarg -> ok
    end;
complete({Node, Ref}, Outcome) ->
    gen_server:cast({?MODULE, Node}, {complete, Ref, Outcome}).

-spec complete_all(tightbeam_outcome:outcome()) -> ok.
complete_all(Outcome) ->
    lists:foreach(
        fun(#entry{ref = Ref}) -> complete({node(), Ref}, Outcome) end,
        ets:tab2list(?TAB)
    ).

%% @doc Is anybody still waiting? For an entry on another node: perhaps.
-spec is_open(key()) -> boolean().
is_open({Node, Ref}) when Node =:= node() -> ets:member(?TAB, Ref);
is_open(_) -> true.

-spec count() -> non_neg_integer().
count() ->
    ets:info(?TAB, size).

answer(#entry{sender = Sender, packet_id = PacketId, timer = Timer} = Entry, Outcome) ->
    _ = erlang:cancel_timer(Timer, [{async, true}, {info, false}]),
    PacketId =:= undefined orelse
        (Sender ! {puback, PacketId, [], tightbeam_outcome:code(Outcome)}),
    tightbeam_metrics:inc(tightbeam_outcome:counter(Outcome)),
    Duration = erlang:monotonic_time(microsecond) - Entry#entry.started,
    tightbeam_report:send(Entry#entry.report, Outcome, Duration).

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
handle_cast({complete, Ref, Outcome}, State) ->
    ok = complete({node(), Ref}, Outcome),
    {noreply, State};
handle_cast({bind, Key, Target}, State) ->
    ok = bind(Key, Target),
    {noreply, State};
handle_cast(_, State) ->
    {noreply, State}.

handle_info({deadline, Ref}, State) ->
    ok = complete({node(), Ref}, puback_timeout),
    {noreply, State};
handle_info({'DOWN', _, process, Sender, _}, State) ->
    true = ets:delete(?SENDERS, Sender),
    Refs = ets:select(?TAB, [{#entry{ref = '$2', sender = Sender, _ = '_'}, [], ['$2']}]),
    lists:foreach(fun drop/1, Refs),
    {noreply, State};
handle_info({nodedown, Node}, State) ->
    Refs = ets:select(?TAB, [{#entry{ref = '$2', node = Node, _ = '_'}, [], ['$2']}]),
    lists:foreach(fun(Ref) -> complete({node(), Ref}, receiver_disconnected) end, Refs),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

%% Nobody is left to be answered; what became of the message is not known and not guessed.
drop(Ref) ->
    case ets:take(?TAB, Ref) of
        [#entry{timer = Timer}] ->
            _ = erlang:cancel_timer(Timer, [{async, true}, {info, false}]),
            tightbeam_metrics:inc('tightbeam.direct.sender_gone');
        [] ->
            ok
    end.
