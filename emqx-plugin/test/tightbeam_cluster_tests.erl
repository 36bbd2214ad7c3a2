%% More than one node, and processes that die.
-module(tightbeam_cluster_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [disconnect/2, ack/2, answer/1, got/1, keys/0, none/1, nothing/1, provide/1, puback/1, publish/3, receiver/1, receiver/2, wait/1]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"a node that is gone when the message goes on to it answers at once", fun bound_to_nobody/0},
        {"a node that dies answers the senders that wait for it", fun nodedown/0},
        {"an outcome from another node answers the sender", fun remote_outcome/0},
        {"a word of another version is answered, and harms nobody", fun other_version/0},
        {"fields that a later plugin adds change nothing", fun more_fields/0},
        {"a message from another node is delivered", fun remote_message/0},
        {"a delivery that fails answers its sender", fun failed/0},
        {"a worker that dies loses its message, not its sender's answer", fun worker_killed/0},
        {"when the keeper of senders dies, deadlines and senders that go still count", fun pending_killed/0},
        {"when the keeper of receivers dies, a receiver that dies still answers", fun inflight_killed/0},
        {"a receiver that disconnects between two looks never gets it", fun disconnect_race/0},
        {"a receiver that disconnects while it is judged never gets it", fun disconnect_while_judged/0},
        {"what nobody waits for any more is swept out", fun sweep/0},
        {"a receiver between two connections of a takeover is waited for", fun takeover_gap/0}
    ]).

bound_to_nobody() ->
    _ = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    ok = tightbeam_pending:bind(hd(keys()), 'other@127.0.0.1'),
    ?assertEqual(16#80, answer(Packet)).

nodedown() ->
    _ = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    ok = tightbeam_pending:bind(hd(keys()), node()),
    tightbeam_pending ! {nodedown, 'other@127.0.0.1'},
    none(Packet),
    tightbeam_pending ! {nodedown, node()},
    ?assertEqual({16#80, <<"RECEIVER_DISCONNECTED">>}, puback(Packet)).

remote_outcome() ->
    _ = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    ok = tightbeam_wire:cast(node(), tightbeam_pending, complete, #{key => hd(keys()), outcome => delivered}),
    ?assertEqual(16#00, answer(Packet)),
    Next = publish(<<"$dm/d/t">>, 1, []),
    ok = tightbeam_wire:cast(node(), tightbeam_pending, complete, #{key => hd(keys()), outcome => invented_later}),
    ?assertEqual({16#80, <<"INTERNAL_ERROR">>}, puback(Next)).

other_version() ->
    _ = receiver(<<"d">>),
    Processes = [tightbeam_pending | [tightbeam_delivery:name(N) || N <- [0, 1]]],
    Alive = [whereis(P) || P <- Processes],
    Words = [
        {tightbeam, 2, deliver, #{key => {self(), make_ref()}}}, {tightbeam, 2, deliver, later}, {tightbeam, 1, invented, #{}},
        {forwarded, 100, {job, nonsense}}, {complete, make_ref(), delivered}, nonsense
    ],
    [gen_server:cast(P, Word) || P <- Processes, Word <- Words],
    Packet = publish(<<"$dm/d/t">>, 1, []),
    gen_server:cast(tightbeam_delivery:name(3), {tightbeam, 2, deliver, #{key => hd(keys()), anything => 1}}),
    ?assertEqual({16#80, <<"DELIVERY_PLUGIN_MISSING">>}, puback(Packet)),
    [sys:get_state(P) || P <- Processes],
    ?assertEqual(Alive, [whereis(P) || P <- Processes]).

more_fields() ->
    Dev = receiver(<<"d">>),
    _ = receiver(<<"e">>),
    Packet = publish(<<"$dm/e/t">>, 1, []),
    [Key] = keys(),
    forward(Key, #{added_later => [1]}),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual(16#00, answer(Packet)).

remote_message() ->
    Dev = receiver(<<"d">>),
    _ = receiver(<<"e">>),
    _ = publish(<<"$dm/e/t">>, 1, []),
    forward(hd(keys()), #{}),
    {_, Msg} = got(Dev),
    ?assertEqual(<<"t">>, emqx_message:topic(Msg)).

%% As another node does it.
forward(Key, More) ->
    Msg = emqx_message:make(<<"sender">>, 1, <<"$dm/d/t">>, <<>>, #{}, #{proto_ver => 5, properties => #{}}),
    Request = #{clientid => <<"d">>, topic => <<"t">>, qos => 1, timeout => 1000},
    Fields = #{
        key => Key, msg => Msg, request => Request, remaining => 9000, received => erlang:system_time(millisecond),
        visited => ['other@127.0.0.1'], offline => false
    },
    ok = tightbeam_wire:cast(node(), tightbeam_delivery:name(0), deliver, maps:merge(Fields, More)).

failed() ->
    %% A connection that EMQX knows nothing of.
    emqx_cm:put_channel(<<"d">>, self(), #{conn_state => connected}),
    ?assertEqual({16#80, <<"INTERNAL_ERROR">>}, puback(publish(<<"$dm/d/t">>, 1, []))).

worker_killed() ->
    Dev = receiver(<<"d">>),
    provide({after_ms, 200, allow}),
    Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, <<"100">>}]),
    Workers = [tightbeam_delivery:name(N) || N <- lists:seq(0, tightbeam_delivery:pool_size() - 1)],
    [exit(whereis(W), kill) || W <- [tightbeam_delivery:name(erlang:phash2(<<"d">>, tightbeam_delivery:pool_size()))]],
    ?assertEqual(16#80, answer(Packet)),
    wait(fun() -> lists:all(fun(W) -> is_pid(whereis(W)) end, Workers) end),
    provide(allow),
    Next = publish(<<"$dm/d/t">>, 1, []),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual(16#00, answer(Next)).

kill(Name) ->
    Pid = whereis(Name),
    exit(Pid, kill),
    wait(fun() -> is_pid(whereis(Name)) andalso whereis(Name) =/= Pid end).

pending_killed() ->
    _ = receiver(<<"d">>),
    Test = self(),
    Sender = spawn(fun() -> Test ! {sent, publish(<<"$dm/d/t">>, 1, [])}, receive stop -> ok end end),
    receive {sent, _} -> ok end,
    Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, <<"300">>}]),
    kill(tightbeam_pending),
    Sender ! stop,
    wait(fun() -> tightbeam_pending:count() =< 1 end),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(Packet)).

inflight_killed() ->
    Dev = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    _ = got(Dev),
    kill(tightbeam_inflight),
    exit(Dev, kill),
    ?assertEqual({16#80, <<"RECEIVER_DISCONNECTED">>}, puback(Packet)).

disconnect_race() ->
    Dev = receiver(<<"d">>),
    First = publish(<<"$dm/d/t">>, 1, []),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual(16#00, answer(First)),
    ok = disconnect(Dev, normal),
    %% EMQX still says that it is connected.
    emqx_cm:put_channel(<<"d">>, Dev, #{conn_state => connected, clientinfo => #{clientid => <<"d">>}}),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    timer:sleep(50),
    none(Packet),
    emqx_cm:put_channel(<<"d">>, Dev, #{conn_state => disconnected}),
    ?assertEqual({16#83, <<"CLIENT_OFFLINE_WITH_SESSION">>}, puback(Packet)).

disconnect_while_judged() ->
    Dev = receiver(<<"d">>),
    provide({after_ms, 100, allow}),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    receive {asked, _} -> ok end,
    ok = disconnect(Dev, normal),
    ?assertEqual({16#83, <<"CLIENT_OFFLINE_WITH_SESSION">>}, puback(Packet)),
    ?assertEqual([], nothing(Dev)).

sweep() ->
    Dev = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    _ = got(Dev),
    [Key] = keys(),
    ?assertEqual(1, tightbeam_inflight:count()),
    tightbeam_inflight ! sweep,
    _ = sys:get_state(tightbeam_inflight),
    ?assertEqual(1, tightbeam_inflight:count()),
    %% Long past its deadline, and nobody settled it.
    ok = tightbeam_inflight:add((tightbeam_inflight:find(Key))#{deadline := erlang:monotonic_time(millisecond) - 6000}),
    tightbeam_inflight ! sweep,
    _ = sys:get_state(tightbeam_inflight),
    ?assertEqual(0, tightbeam_inflight:count()),
    none(Packet),
    emqx:set_config([authorization, cache], #{enable => true, ttl => 1}),
    ok = tightbeam_authz:clean(),
    _ = publish(<<"$dm/d/other">>, 1, []),
    wait(fun() -> tightbeam_authz:count() =:= 1 end),
    timer:sleep(5),
    tightbeam_authz ! sweep,
    _ = sys:get_state(tightbeam_authz),
    ?assertEqual(0, tightbeam_authz:count()).

takeover_gap() ->
    Old = receiver(<<"d">>),
    disconnect(Old, takenover),
    emqx_cm:delete_channel(<<"d">>, Old),
    %% It counts for a second; here for as long as the test needs.
    ?assert(ets:member(tightbeam_taken_over, <<"d">>)),
    true = ets:insert(tightbeam_taken_over, {<<"d">>, erlang:monotonic_time(millisecond) + 60000}),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    timer:sleep(120),
    none(Packet),
    New = receiver(<<"d">>),
    {_, Msg} = got(New),
    ok = ack(New, Msg),
    ?assertEqual(16#00, answer(Packet)),
    %% Nobody is waited for for ever.
    true = ets:delete(tightbeam_taken_over, <<"d">>),
    emqx_cm:delete_channel(<<"d">>, New),
    ?assertEqual({16#90, <<"CLIENT_NOT_CONNECTED">>}, puback(publish(<<"$dm/d/t">>, 1, []))),
    ?assertEqual([], nothing(Old)).
