%% @doc Direct messages in the hands of connections of this node: what has been handed over, what has been written, what
%% waits for room. So that a receiver that goes away answers its senders, who may be on other nodes, and a deadline knows
%% whether anything was written. And what is known of these connections, which is less to look at than all that EMQX
%% knows of them.
-module(tightbeam_inflight).

-behaviour(gen_server).

-export([start_link/0, know/2, receiver/1, add/1, find/1, set_state/2, postpone/2, written/2, remove/1, gone/1, create_tables/0]).
-export([taken_over/2, is_taken_over/1, count/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([receiver/0, state/0, attempt/0]).

%% What stays the same for as long as a connection lasts. `gathered': what other nodes remember of its client ID is here.
-type receiver() :: #{
    mountpoint := binary() | undefined,
    max_packet_size := pos_integer() | infinity,
    mqtt5 => boolean(),
    gathered := boolean()
}.
%% waiting: for room in the receive window, with the plugin; handed: in the connection's mailbox; written: on its way to
%% the device (monotonic milliseconds); refused: answered by a PUBREC, which is no answer to QoS 1; moved: its session is
%% being taken over.
-type state() :: waiting | handed | {written, integer()} | refused | moved.
-type attempt() :: #{
    key := tightbeam_pending:key(),
    channel := pid(),
    state := state(),
    %% Monotonic milliseconds.
    deadline := integer(),
    identity := tightbeam_identity:place() | undefined,
    job := tightbeam_delivery:job() | undefined
}.

-record(attempt, {
    key :: tightbeam_pending:key() | '$2',
    channel :: pid() | '_',
    state :: state() | '_',
    deadline :: integer() | '$1',
    identity :: tightbeam_identity:place() | undefined | '_',
    job :: tightbeam_delivery:job() | undefined | '_'
}).

-define(TAB, ?MODULE).
-define(BY_CHANNEL, tightbeam_inflight_by_channel).
-define(WATCHED, tightbeam_receivers).
-define(TAKEN_OVER, tightbeam_taken_over).
-define(SWEEP, 5000).
%% Longest time in milliseconds between two connections of a takeover.
-define(TAKEOVER, 1000).
%% How long after its deadline an attempt that nobody settled is kept: longer than any answer can take.
-define(GRACE, 5000).
%% The longest timeout that a sender can ask for.
-define(LONGEST, 15000).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec create_tables() -> ok.
create_tables() ->
    Opts = [named_table, public, {write_concurrency, true}],
    ?TAB = ets:new(?TAB, [set, {keypos, #attempt.key} | Opts]),
    ?BY_CHANNEL = ets:new(?BY_CHANNEL, [ordered_set | Opts]),
    ?WATCHED = ets:new(?WATCHED, [set, {read_concurrency, true} | Opts]),
    ?TAKEN_OVER = ets:new(?TAKEN_OVER, [set | Opts]),
    ok.

%% @doc To be called before a message is added.
-spec know(pid(), receiver()) -> ok.
know(Channel, #{gathered := Gathered} = Receiver) ->
    case ets:insert_new(?WATCHED, {Channel, Receiver}) of
        true ->
            gen_server:cast(?MODULE, {watch, Channel});
        false when Gathered ->
            learn(Channel, receiver(Channel), Receiver);
        false ->
            ok
    end.

learn(Channel, #{gathered := false}, Receiver) ->
    _ = ets:update_element(?WATCHED, Channel, {2, Receiver}),
    ok;
learn(_Channel, _Known, _Receiver) ->
    ok.

%% @doc A connection to which messages have been handed before. `gone': it has been disconnected, its
%% process may live on for its session.
-spec receiver(pid()) -> receiver() | gone | unknown.
receiver(Channel) ->
    case ets:lookup(?WATCHED, Channel) of
        [{_, Receiver}] -> Receiver;
        [] -> unknown
    end.

%% @doc To be called before the message is sent.
-spec add(attempt()) -> ok.
add(#{key := Key, channel := Channel, state := State, deadline := Deadline, identity := Identity, job := Job}) ->
    true = ets:insert(?BY_CHANNEL, {{Channel, Key}}),
    true = ets:insert(?TAB, #attempt{
        key = Key, channel = Channel, state = State, deadline = Deadline, identity = Identity, job = Job
    }),
    ok.

-spec find(tightbeam_pending:key()) -> attempt() | undefined.
find(Key) ->
    try ets:lookup(?TAB, Key) of
        [Attempt] -> to_map(Attempt);
        [] -> undefined
    catch
        %% The plugin has been stopped.
        error:badarg -> undefined
    end.

to_map(#attempt{key = Key, channel = Channel, state = State, deadline = Deadline, identity = Identity, job = Job}) ->
    #{key => Key, channel => Channel, state => State, deadline => Deadline, identity => Identity, job => Job}.

-spec set_state(tightbeam_pending:key(), state()) -> boolean().
set_state(Key, State) ->
    ets:update_element(?TAB, Key, {#attempt.state, State}).

%% @doc Somebody waits longer for it.
-spec postpone(tightbeam_pending:key(), integer()) -> ok.
postpone(Key, Deadline) ->
    case ets:lookup(?TAB, Key) of
        [#attempt{deadline = Earlier}] when Earlier < Deadline ->
            _ = ets:update_element(?TAB, Key, {#attempt.deadline, Deadline}),
            ok;
        _ ->
            ok
    end.

%% @doc In the receiver's connection, which is about to write it. After a takeover that is another connection than the one
%% that it was handed to, and may be on another node.
-spec written(tightbeam_pending:key(), tightbeam_identity:place() | undefined) -> ok.
written(Key, Identity) ->
    Channel = self(),
    Now = erlang:monotonic_time(millisecond),
    try ets:lookup_element(?TAB, Key, #attempt.channel) of
        Channel ->
            _ = set_state(Key, {written, Now}),
            ok;
        Earlier ->
            true = ets:delete(?BY_CHANNEL, {Earlier, Key}),
            true = ets:insert(?BY_CHANNEL, {{Channel, Key}}),
            _ = ets:update_element(?TAB, Key, [{#attempt.channel, Channel}, {#attempt.state, {written, Now}}]),
            watch_again(Channel)
    catch
        error:badarg -> adopt(Key, Identity, Channel, Now)
    end.

adopt(Key, Identity, Channel, Now) ->
    case ets:info(?TAB, size) of
        %% The plugin has been stopped.
        undefined ->
            ok;
        _ ->
            ok = add(#{
                key => Key, channel => Channel, state => {written, Now}, deadline => Now + ?LONGEST, identity => Identity, job => undefined
            }),
            watch_again(Channel)
    end.

watch_again(Channel) ->
    gen_server:cast(?MODULE, {watch, Channel}).

-spec remove(tightbeam_pending:key()) -> attempt() | undefined.
remove(Key) ->
    try ets:take(?TAB, Key) of
        [#attempt{channel = Channel} = Attempt] ->
            true = ets:delete(?BY_CHANNEL, {Channel, Key}),
            to_map(Attempt);
        [] ->
            undefined
    catch
        error:badarg -> undefined
    end.

%% @doc The connection is gone: what it had written will not be acknowledged by it, and what was decided for it is
%% forgotten. What it had only been handed comes back (see tightbeam_delivery) as long as its process lives; when it has
%% died, and did not write it, it never will.
-spec gone(pid()) -> ok.
gone(Channel) ->
    ok = disconnected(Channel),
    lists:foreach(fun(Attempt) -> lost(Attempt) end, of_channel(Channel)).

lost(#{state := {written, _}} = Attempt) -> tightbeam_settle:disconnected(Attempt);
lost(#{state := refused} = Attempt) -> tightbeam_settle:disconnected(Attempt);
lost(#{state := waiting} = Attempt) -> tightbeam_delivery:back(Attempt);
lost(_HandedOrMoved) -> ok.

died(Channel) ->
    ok = gone(Channel),
    lists:foreach(
        fun
            (#{state := handed} = Attempt) -> tightbeam_delivery:back(Attempt);
            (_Moved) -> ok
        end,
        of_channel(Channel)
    ).

of_channel(Channel) ->
    try
        [Attempt || Key <- ets:select(?BY_CHANNEL, [{{{Channel, '$1'}}, [], ['$1']}]), #{} = Attempt <- [find(Key)]]
    catch
        error:badarg -> []
    end.

%% @doc The connection ends and what it has written lives on in another one (section 4.4), whose PUBACK then confirms
%% it. For a moment in between EMQX 6 may know of no connection.
-spec taken_over(binary(), pid()) -> ok.
taken_over(ClientId, Channel) ->
    ok = disconnected(Channel),
    try
        true = ets:insert(?TAKEN_OVER, {ClientId, erlang:monotonic_time(millisecond) + ?TAKEOVER}),
        lists:foreach(
            fun
                (#{state := waiting} = Attempt) -> tightbeam_delivery:back(Attempt);
                (#{state := handed}) -> ok;
                (#{key := Key}) -> set_state(Key, moved)
            end,
            of_channel(Channel)
        )
    catch
        error:badarg -> ok
    end.

%% @doc Was a connection of this client ID on this node taken over just now?
-spec is_taken_over(binary()) -> boolean().
is_taken_over(ClientId) ->
    case ets:lookup(?TAKEN_OVER, ClientId) of
        [{_, Until}] -> erlang:monotonic_time(millisecond) < Until;
        [] -> false
    end.

%% Before its messages are looked for: whoever adds one after that sees that the connection is gone.
disconnected(Channel) ->
    try
        _ = ets:update_element(?WATCHED, Channel, {2, gone}),
        tightbeam_authz:forget(Channel)
    catch
        error:badarg -> ok
    end.

-spec count() -> non_neg_integer().
count() ->
    ets:info(?TAB, size).

%% The state: the connections that are monitored.
init([]) ->
    Channels = [Channel || {Channel, _} <- ets:tab2list(?WATCHED)] ++ [Channel || {{Channel, _}} <- ets:tab2list(?BY_CHANNEL)],
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {ok, lists:foldl(fun watch/2, #{}, Channels)}.

watch(Channel, Watched) when is_map_key(Channel, Watched) -> Watched;
watch(Channel, Watched) -> Watched#{Channel => monitor(process, Channel)}.

handle_call(_Request, _From, Watched) ->
    {reply, ignored, Watched}.

handle_cast({watch, Channel}, Watched) ->
    {noreply, watch(Channel, Watched)};
handle_cast(Word, Watched) ->
    case tightbeam_wire:read(Word) of
        {deadline, #{key := Key, timeout := Timeout}} -> tightbeam_settle:deadline(Key, Timeout);
        _ -> ok
    end,
    {noreply, Watched}.

handle_info({'DOWN', _, process, Channel, _}, Watched) ->
    ok = died(Channel),
    true = ets:delete(?WATCHED, Channel),
    {noreply, maps:remove(Channel, Watched)};
handle_info(sweep, Watched) ->
    Now = erlang:monotonic_time(millisecond),
    _ = ets:select_delete(?TAKEN_OVER, [{{'_', '$1'}, [{'<', '$1', Now}], [true]}]),
    %% Their senders have had their answers. One with an identity stays as long as its connection: it may be
    %% acknowledged yet.
    Old = #attempt{key = '$2', deadline = '$1', identity = undefined, _ = '_'},
    %% Or as its identity, where a takeover moved it and nobody has said how it ended.
    Moved = #attempt{key = '$2', deadline = '$1', state = moved, _ = '_'},
    Remembered = tightbeam_config:get(identities_ttl_ms),
    lists:foreach(
        fun remove/1,
        ets:select(?TAB, [
            {Old, [{'<', '$1', Now - ?GRACE}], ['$2']}, {Moved, [{'<', '$1', Now - Remembered}], ['$2']}
        ])
    ),
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {noreply, Watched};
handle_info(_, Watched) ->
    {noreply, Watched}.
