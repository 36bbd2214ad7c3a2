%% One delivery for one identity, whatever is repeated.
-module(tightbeam_identity_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [
    ack/2, ack/4, answer/1, connected/3, disconnect/2, got/1, in/2, none/1, nothing/1, outcome/1, publish/3, publish/5, puback/1, pubcomp/2, pubrec/2,
    receiver/1, receiver/3, service/4, wait/1
]).

-define(TOPIC, <<"$dm/d/t">>).
-define(FIRST, {<<"dm-trace-id">>, <<"0af7651916cd43dd8448eb211c80319c">>}).
-define(SECOND, {<<"dm-trace-id">>, <<"1bf7651916cd43dd8448eb211c80319c">>}).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"a repeat while the first is under way joins it", fun joins/0},
        {"a repeat after the device's acknowledgement gets the same answer, wherever the device is now", fun remembered/0},
        {"a late acknowledgement answers the repeat", fun late/0},
        {"each that joins waits by its own timeout", fun own_timeouts/0},
        {"after a disconnect a repeat is a new attempt, and says that an earlier one was written", fun after_disconnect/0},
        {"where nothing was written nothing is remembered", fun nothing_written/0},
        {"an identity with other content is refused", fun reused/0},
        {"an identity belongs to its principal and its target", fun scope/0},
        {"only the service speaks for others", fun principals/0},
        {"the device's refusal is its word, and remembered", fun rejected/0},
        {"a PUBREC in answer to QoS 1 is no confirmation, nor what follows it", fun no_puback/0},
        {"a takeover leaves the answer to the next connection, for those that joined as well", fun takeover/0},
        {"what a takeover moves to another node is kept no longer than its identity", fun moved_away/0},
        {"a connection that took over and leaves answers at once", fun takeover_and_gone/0},
        {"one that waits for room is joined and not sent twice", fun waiting/0},
        {"what is remembered follows the client ID to another node", fun follows/0},
        {"a handing over without confirmation is remembered too", fun dispatched/0}
    ]).

send(Id) -> send(Id, []).
send(Id, Props) -> service(?TOPIC, <<"alice">>, Id, Props).

joins() ->
    Dev = receiver(<<"d">>),
    First = send(<<"1">>, [?FIRST]),
    Second = send(<<"1">>, [?SECOND]),
    {_, Msg} = got(Dev),
    none(First),
    ok = ack(Dev, Msg),
    ?assertEqual([0, 0], [answer(P) || P <- [First, Second]]),
    ?assertEqual(nothing, outcome(First)),
    ?assertEqual(
        <<"{\"reason\":\"DELIVERED\",\"written\":\"yes\",\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"joined\":true}">>, outcome(Second)
    ),
    ?assertEqual([], nothing(Dev)).

remembered() ->
    Dev = receiver(<<"d">>),
    First = send(<<"1">>),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(First)),
    ?assertEqual(0, answer(send(<<"1">>))),
    ok = disconnect(Dev, normal),
    ?assertEqual(0, answer(send(<<"1">>))),
    emqx_cm:delete_channel(<<"d">>, Dev),
    Again = receiver(<<"d">>),
    ?assertEqual(0, answer(send(<<"1">>))),
    ?assertEqual([], nothing(Dev) ++ nothing(Again)),
    ?assertEqual(3, emqx_metrics:read('tightbeam.identity.repeated')).

late() ->
    Dev = receiver(<<"d">>),
    First = send(<<"1">>, [{<<"dm-timeout-ms">>, <<"20">>}]),
    {_, Msg} = got(Dev),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(First)),
    ?assertEqual(<<"{\"reason\":\"PUBACK_TIMEOUT\",\"written\":\"yes\"}">>, outcome(First)),
    Second = send(<<"1">>),
    none(Second),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(Second)),
    ?assertEqual(0, answer(send(<<"1">>))),
    ?assertEqual([], nothing(Dev)).

own_timeouts() ->
    Dev = receiver(<<"d">>),
    First = send(<<"1">>),
    Second = send(<<"1">>, [{<<"dm-timeout-ms">>, <<"20">>}]),
    {_, Msg} = got(Dev),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(Second)),
    none(First),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(First)),
    none(Second).

after_disconnect() ->
    Dev = receiver(<<"d">>),
    First = send(<<"1">>, [?FIRST]),
    _ = got(Dev),
    ok = disconnect(Dev, normal),
    ?assertEqual({16#80, <<"RECEIVER_DISCONNECTED">>}, puback(First)),
    emqx_cm:delete_channel(<<"d">>, Dev),
    Again = receiver(<<"d">>),
    Second = send(<<"1">>, [?SECOND]),
    {_, Msg} = got(Again),
    ok = ack(Again, Msg),
    ?assertEqual(0, answer(Second)),
    ?assertEqual(<<"{\"reason\":\"DELIVERED\",\"written\":\"yes\",\"earlierWritten\":true}">>, outcome(Second)),
    ?assertEqual(0, answer(send(<<"1">>))).

nothing_written() ->
    ?assertEqual(16#90, answer(send(<<"1">>))),
    Small = receiver(<<"d">>, #{conninfo => #{proto_ver => 5, conn_props => #{'Maximum-Packet-Size' => 10}}}, 32),
    ?assertEqual({16#99, <<"PAYLOAD_TOO_LARGE">>}, puback(send(<<"1">>))),
    exit(Small, kill),
    emqx_cm:delete_channel(<<"d">>, Small),
    ?assertEqual(0, tightbeam_identity:count()),
    Full = receiver(<<"d">>, #{}, 0),
    Throttled = send(<<"1">>, [{<<"dm-timeout-ms">>, <<"300">>}]),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(Throttled)),
    ?assertEqual(nothing, outcome(Throttled)),
    ?assertEqual(0, tightbeam_identity:count()),
    in(Full, fun() -> put(window, 1) end),
    Packet = send(<<"1">>),
    {_, Msg} = got(Full),
    ok = ack(Full, Msg),
    ?assertEqual(0, answer(Packet)).

reused() ->
    Dev = receiver(<<"d">>),
    Trace = fun(N) -> {<<"traceparent">>, <<"00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333", N, "-01">>} end,
    First = send(<<"1">>, [{<<"a">>, <<"1">>}, Trace($1)]),
    {_, Msg} = got(Dev),
    ?assertEqual({16#91, <<"IDEMPOTENCY_KEY_REUSED">>}, puback(send(<<"1">>, [{<<"a">>, <<"2">>}]))),
    ?assertEqual({16#91, <<"IDEMPOTENCY_KEY_REUSED">>}, puback(service(<<"$dm/d/other">>, <<"alice">>, <<"1">>, [{<<"a">>, <<"1">>}]))),
    ?assertEqual({16#91, <<"IDEMPOTENCY_KEY_REUSED">>}, puback(send(<<"1">>, [{<<"a">>, <<"1">>}, {<<"dm-qos">>, <<"0">>}]))),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(First)),
    ?assertEqual(16#91, answer(send(<<"1">>, [{<<"a">>, <<"2">>}]))),
    ?assertEqual(0, answer(send(<<"1">>, [{<<"a">>, <<"1">>}, Trace($2)]))),
    ?assertEqual([], nothing(Dev)).

scope() ->
    Dev = receiver(<<"d">>),
    Other = receiver(<<"e">>),
    _ = [send(<<"1">>), send(<<"2">>), service(?TOPIC, <<"bob">>, <<"1">>, []), publish(?TOPIC, 1, []), publish(?TOPIC, 1, [])],
    _ = service(<<"$dm/e/t">>, <<"alice">>, <<"1">>, []),
    [got(Dev) || _ <- [1, 2, 3, 4, 5]],
    _ = got(Other),
    ?assertEqual([], nothing(Dev) ++ nothing(Other)).

principals() ->
    Dev = receiver(<<"d">>),
    Id = {<<"dm-id">>, <<"1">>},
    As = fun(User, Props) -> publish(?TOPIC, 1, [Id | Props], #{}, User) end,
    %% alice herself, and the service for her: one identity.
    _ = As(<<"alice">>, []),
    _ = send(<<"1">>),
    _ = As(<<"mallory">>, [{<<"dm-principal">>, <<"alice">>}]),
    _ = As(<<"mallory">>, []),
    _ = As(undefined, []),
    _ = As(undefined, [{<<"dm-principal">>, <<"alice">>}]),
    [{_, M} | _] = [got(Dev) || _ <- [1, 2, 3]],
    ?assertEqual([], nothing(Dev)),
    ?assertEqual([], [K || {<<"dm-", _/binary>> = K, _} <- maps:get('User-Property', emqx_message:get_header(properties, M, #{}), [])]).

rejected() ->
    Dev = receiver(<<"d">>),
    First = send(<<"1">>),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg, 16#97, #{'Reason-String' => <<"full \"up\"">>}),
    case tightbeam_emqx:has_hook_point('client.handle_info') of
        true ->
            ?assertEqual({16#80, <<"RECEIVER_REJECTED">>}, puback(First)),
            Told = <<"\"written\":\"yes\",\"code\":151,\"reasonString\":\"full \\\"up\\\"\"">>,
            ?assertEqual(<<"{\"reason\":\"RECEIVER_REJECTED\",", Told/binary, "}">>, outcome(First)),
            Second = send(<<"1">>),
            ?assertEqual({16#80, <<"RECEIVER_REJECTED">>}, puback(Second)),
            ?assertEqual(<<"{\"reason\":\"RECEIVER_REJECTED\",", Told/binary, ",\"joined\":true}">>, outcome(Second)),
            %% Without words, and a success that is not 0x00.
            Third = send(<<"3">>),
            {_, M3} = got(Dev),
            ok = ack(Dev, M3, 16#80, #{}),
            ?assertEqual(16#80, answer(Third)),
            Fourth = send(<<"4">>),
            {_, M4} = got(Dev),
            ok = ack(Dev, M4, 16#10, #{}),
            ?assertEqual(0, answer(Fourth));
        false ->
            ?assertEqual(0, answer(First))
    end,
    ?assertEqual([], nothing(Dev)).

no_puback() ->
    Dev = receiver(<<"d">>),
    Packet = send(<<"1">>, [{<<"dm-timeout-ms">>, <<"200">>}]),
    {_, Msg} = got(Dev),
    ok = pubrec(Dev, Msg),
    ok = pubcomp(Dev, Msg),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(Packet)),
    ?assertEqual(1, emqx_metrics:read('tightbeam.direct.pubrec')).

%% The session's messages are sent again by the connection that takes over.
taken_over(Old, Msg) ->
    New = receiver(<<"d">>),
    ok = disconnect(Old, takenover),
    emqx_cm:delete_channel(<<"d">>, Old),
    exit(Old, kill),
    in(New, fun() -> emqx_hooks:run_fold('message.delivered', [#{clientid => <<"d">>}], Msg) end),
    New.

takeover() ->
    Old = receiver(<<"d">>),
    First = send(<<"1">>),
    {_, Msg} = got(Old),
    New = taken_over(Old, Msg),
    Second = send(<<"1">>),
    none(First),
    ok = ack(New, Msg),
    ?assertEqual([0, 0, 0], [answer(P) || P <- [First, Second, send(<<"1">>)]]),
    ?assertEqual([], nothing(New)).

%% As where the new connection is on another node, which says how it ended, or never does.
moved_away() ->
    Old = receiver(<<"d">>),
    First = send(<<"1">>),
    _ = [send(<<"2">>), got(Old), got(Old)],
    ok = disconnect(Old, takenover),
    emqx_cm:delete_channel(<<"d">>, Old),
    exit(Old, kill),
    [#{key := IdKey} | _] = lists:sort(fun(#{key := A}, #{key := B}) -> A =< B end, tightbeam_identity:export(<<"d">>)),
    [Key] = [K || {K, _, _, _, {_, Id}, _} <- [list_to_tuple(tl(tuple_to_list(A))) || A <- ets:tab2list(tightbeam_inflight)], Id =:= IdKey],
    ok = tightbeam_wire:cast(node(), tightbeam_identity, resolve, #{id => IdKey, attempt => Key, outcome => delivered, details => #{written => yes}}),
    ?assertEqual(0, answer(send(<<"1">>))),
    ?assertEqual(1, tightbeam_inflight:count()),
    none(First),
    tightbeam_config:put(#{guard => off, identities_ttl_ms => 1}),
    [Other] = [element(2, A) || A <- ets:tab2list(tightbeam_inflight)],
    true = ets:update_element(tightbeam_inflight, Other, {5, erlang:monotonic_time(millisecond) - 1000}),
    tightbeam_inflight ! sweep,
    _ = sys:get_state(tightbeam_inflight),
    ?assertEqual(0, tightbeam_inflight:count()).

takeover_and_gone() ->
    Old = receiver(<<"d">>),
    First = send(<<"1">>),
    {_, Msg} = got(Old),
    New = taken_over(Old, Msg),
    ok = disconnect(New, normal),
    ?assertEqual({16#80, <<"RECEIVER_DISCONNECTED">>}, puback(First)).

waiting() ->
    Dev = receiver(<<"d">>, #{}, 0),
    First = send(<<"1">>, [{<<"dm-timeout-ms">>, <<"200">>}]),
    wait(fun() -> tightbeam_waiting:count() =:= 1 end),
    Second = send(<<"1">>),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(First)),
    none(Second),
    in(Dev, fun() -> put(window, 1) end),
    ok = tightbeam_delivery:room(<<"d">>, Dev),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(Second)),
    ?assertEqual([], nothing(Dev)).

deliver(Principal, Id, Dev) ->
    Packet = service(?TOPIC, Principal, Id, []),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(Packet)).

%% Two nodes in one: what is exported here is taken in as from another, and the other way round.
follows() ->
    Dev = receiver(<<"d">>),
    deliver(<<"alice">>, <<"1">>, Dev),
    _ = send(<<"2">>),
    _ = got(Dev),
    [Done, Open] = lists:sort(fun(#{key := A}, #{key := B}) -> A =< B end, tightbeam_identity:export(<<"d">>)),
    ?assertMatch(#{status := {done, delivered, _}, remaining := R} when R > 0, Done),
    ?assertEqual({elsewhere, node()}, maps:get(status, Open)),
    ?assertEqual([], tightbeam_identity:export(<<"e">>)),
    #{key := {_, Principal, _}} = Done,
    ok = tightbeam_identity:import([
        Done#{key := {<<"d">>, Principal, <<"3">>}}, Open#{key := {<<"d">>, Principal, <<"4">>}, status := {elsewhere, 'gone@127.0.0.1'}},
        #{from => later}
    ]),
    ?assertEqual(0, answer(send(<<"3">>))),
    ?assertEqual([], nothing(Dev)),
    %% That node is gone, and what it remembered with it: sent again, and counted.
    deliver(<<"alice">>, <<"4">>, Dev),
    ?assertEqual(1, emqx_metrics:read('tightbeam.identity.lost')),
    %% What ended here is not overwritten, what did not is.
    ok = tightbeam_identity:import([Done#{status := free}]),
    ?assertEqual(0, answer(send(<<"1">>))).

dispatched() ->
    Dev = receiver(<<"d">>),
    Props = [{<<"dm-qos">>, <<"0">>}],
    ?assertEqual([0, 0], [answer(P) || P <- [send(<<"1">>, Props), send(<<"1">>, Props)]]),
    _ = got(Dev),
    ?assertEqual([], nothing(Dev)).
