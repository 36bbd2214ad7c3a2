%% @doc Counts what passes, told of or not: messages by direction, QoS, reason and topic group, connects by outcome, sessions; and
%% per type the events that were lost. Every counter goes up only; the keeper tells what has been added.
-module(tightbeam_tap_counts).

-export([create/1, message/4, dropped/3, connect/2, disconnect/1, session/2, read/1]).
-export([create_missed/0, missed/2, missed/0]).

-export_type([counted/0]).

%% What, its labels as JSON members, and how many since the counters began.
-type counted() :: {binary(), [{binary(), binary() | integer()}], non_neg_integer()}.

-define(MISSED, {?MODULE, missed}).
-define(DIRECTIONS, [in, out, acked]).
-define(DROP_REASONS, [queue_full, expired, no_local, qos0_msg, no_subscribers, other]).
-define(OUTCOMES, [
    accepted, not_authorized, bad_username_or_password, banned, server_unavailable, server_busy, quota_exceeded,
    connection_rate_exceeded, client_identifier_not_valid, protocol_error, malformed_packet, unsupported_protocol_version,
    bad_authentication_method, other
]).
-define(SESSIONS, [resumed, expired]).
-define(OF_GROUP, (length(?DIRECTIONS) * 3 + length(?DROP_REASONS))).

%% @doc For so many topic groups, beside the one for all other topics.
-spec create(non_neg_integer()) -> term().
create(Groups) ->
    counters:new((Groups + 1) * ?OF_GROUP + length(?OUTCOMES) + 1 + length(?SESSIONS), [write_concurrency]).

-spec message(in | out | acked, 0..2, binary(), tightbeam_tap_wanted:wanted()) -> ok.
message(Direction, QoS, Topic, Wanted) ->
    add(of_group(Topic, Wanted) + direction(Direction) * 3 + QoS + 1, Wanted).

direction(in) -> 0;
direction(out) -> 1;
direction(acked) -> 2.

-spec dropped(atom(), binary(), tightbeam_tap_wanted:wanted()) -> ok.
dropped(Reason, Topic, Wanted) ->
    add(of_group(Topic, Wanted) + length(?DIRECTIONS) * 3 + index(Reason, ?DROP_REASONS), Wanted).

-spec connect(atom(), tightbeam_tap_wanted:wanted()) -> ok.
connect(Outcome, Wanted) ->
    add(others(Wanted) + index(Outcome, ?OUTCOMES), Wanted).

-spec disconnect(tightbeam_tap_wanted:wanted()) -> ok.
disconnect(Wanted) ->
    add(others(Wanted) + length(?OUTCOMES) + 1, Wanted).

-spec session(resumed | expired, tightbeam_tap_wanted:wanted()) -> ok.
session(What, Wanted) ->
    add(others(Wanted) + length(?OUTCOMES) + 1 + index(What, ?SESSIONS), Wanted).

add(Index, Wanted) ->
    counters:add(tightbeam_tap_wanted:counters(Wanted), Index, 1).

of_group(Topic, Wanted) ->
    tightbeam_tap_wanted:group(Topic, Wanted) * ?OF_GROUP.

others(Wanted) ->
    (length(tightbeam_tap_wanted:groups(Wanted)) + 1) * ?OF_GROUP.

%% The last one is for all others.
index(Name, Names) -> index(Name, Names, 1).

index(_Name, [_Other], N) -> N;
index(Name, [Name | _], N) -> N;
index(Name, [_ | Names], N) -> index(Name, Names, N + 1).

%% @doc All that are not 0.
-spec read(tightbeam_tap_wanted:wanted()) -> [counted()].
read(Wanted) ->
    Counters = tightbeam_tap_wanted:counters(Wanted),
    Names =
        lists:append([of_group_names(Group) || Group <- [<<>> | tightbeam_tap_wanted:groups(Wanted)]]) ++
            [{<<"connect">>, [{<<"outcome">>, atom_to_binary(Outcome)}]} || Outcome <- ?OUTCOMES] ++
            [{<<"disconnect">>, []}] ++
            [{<<"session">>, [{<<"outcome">>, atom_to_binary(What)}]} || What <- ?SESSIONS],
    Read = [{What, Labels, counters:get(Counters, N)} || {N, {What, Labels}} <- lists:zip(lists:seq(1, length(Names)), Names)],
    [Counted || {_, _, Count} = Counted <- Read, Count > 0].

of_group_names(Group) ->
    [
        {<<"message">>, [{<<"direction">>, atom_to_binary(Direction)}, {<<"qos">>, QoS}, {<<"group">>, Group}]}
     || Direction <- ?DIRECTIONS, QoS <- [0, 1, 2]
    ] ++
        [{<<"dropped">>, [{<<"reason">>, atom_to_binary(Reason)}, {<<"group">>, Group}]} || Reason <- ?DROP_REASONS].

%%--------------------------------------------------------------------

-spec create_missed() -> ok.
create_missed() ->
    persistent_term:put(?MISSED, atomics:new(length(tightbeam_tap:types()), [])).

%% @doc So many events of a type were lost.
-spec missed(tightbeam_tap:type(), pos_integer()) -> ok.
missed(Type, Count) ->
    tightbeam_metrics:inc('tightbeam.tap.missed', Count),
    atomics:add(persistent_term:get(?MISSED), tightbeam_tap:number(Type), Count).

%% @doc Since the plugin started.
-spec missed() -> [{tightbeam_tap:type(), non_neg_integer()}].
missed() ->
    Missed = persistent_term:get(?MISSED),
    [{Type, atomics:get(Missed, tightbeam_tap:number(Type))} || Type <- tightbeam_tap:types()].
