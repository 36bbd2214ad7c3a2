%% A direct message never costs an ordinary one: behind a full receive window it waits with the plugin.
-module(tightbeam_room_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [
    ack/2, answer/1, disconnect/2, got/1, in/2, maybe_got/2, none/1, nothing/1, publish/3, puback/1, receiver/1, receiver/3, told/1, wait/1
]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"what finds no room waits, and goes out in order as there is room", fun in_order/0},
        {"an ordinary acknowledgement makes room as well", fun ordinary/0},
        {"whose time is over while it waits is told that nothing was written, and it never goes out", fun over/0},
        {"as many wait as may wait for one device", fun bounded_per_device/0},
        {"as many wait as may wait in all", fun bounded/0},
        {"a device that goes while something waits gets none of it", fun disconnected/0},
        {"what waits goes to the connection that takes over", fun taken_over/0},
        {"what waits when the plugin stops is never delivered", fun stopped/0},
        {"the time counts from the delivery", fun from_delivery/0},
        {"a message that is in the hands of a connection that hangs may have been written", fun hangs/0}
    ]).

acked(Dev) ->
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    emqx_message:topic(Msg).

waiting(N) -> wait(fun() -> tightbeam_waiting:count() =:= N end).

in_order() ->
    Dev = receiver(<<"d">>, #{}, 2),
    Topics = [integer_to_binary(I) || I <- lists:seq(1, 20)],
    Packets = [publish(<<"$dm/d/", T/binary>>, 1, []) || T <- Topics],
    waiting(18),
    ?assertEqual(Topics, [acked(Dev) || _ <- Topics]),
    ?assertEqual([0 || _ <- Packets], [answer(P) || P <- Packets]),
    ?assertNot(tightbeam_waiting:is_blocked(Dev)).

ordinary() ->
    Dev = receiver(<<"d">>, #{}, 1),
    in(Dev, fun() -> put(inflight, 1) end),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    waiting(1),
    none(Packet),
    Ordinary = emqx_message:make(<<"s">>, 1, <<"a">>, <<>>, #{}, #{properties => #{}}),
    ok = ack(Dev, Ordinary),
    _ = acked(Dev),
    ?assertEqual(16#00, answer(Packet)).

over() ->
    Dev = receiver(<<"d">>, #{}, 0),
    Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, <<"30">>}]),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(Packet)),
    ?assertEqual({0, 0}, {tightbeam_waiting:count(), tightbeam_inflight:count()}),
    in(Dev, fun() -> put(window, 10) end),
    ok = tightbeam_delivery:room(<<"d">>, Dev),
    ?assertEqual([], nothing(Dev)).

bounded_per_device() ->
    tightbeam_config:put(#{guard => off, waiting_max_per_device => 2}),
    _ = receiver(<<"d">>, #{}, 0),
    _ = publish(<<"$dm/d/t">>, 1, []),
    waiting(1),
    _ = publish(<<"$dm/d/t">>, 1, []),
    waiting(2),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(publish(<<"$dm/d/t">>, 1, []))),
    waiting(2).

bounded() ->
    tightbeam_config:put(#{guard => off, waiting_max => 2}),
    [receiver(<<"d", (integer_to_binary(I))/binary>>, #{}, 0) || I <- [1, 2, 3]],
    First = publish(<<"$dm/d1/t">>, 1, []),
    waiting(1),
    Second = publish(<<"$dm/d2/t">>, 1, []),
    waiting(2),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(publish(<<"$dm/d3/t">>, 1, []))),
    [none(P) || P <- [First, Second]].

disconnected() ->
    Dev = receiver(<<"d">>, #{}, 1),
    Written = publish(<<"$dm/d/t">>, 1, []),
    _ = got(Dev),
    Waiting = publish(<<"$dm/d/t">>, 1, []),
    waiting(1),
    ok = disconnect(Dev, normal),
    ?assertEqual({16#80, <<"RECEIVER_DISCONNECTED">>}, puback(Written)),
    ?assertEqual({16#83, <<"CLIENT_OFFLINE_WITH_SESSION">>}, puback(Waiting)),
    waiting(0).

taken_over() ->
    Old = receiver(<<"d">>, #{}, 0),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    waiting(1),
    New = receiver(<<"d">>),
    ok = disconnect(Old, takenover),
    emqx_cm:delete_channel(<<"d">>, Old),
    _ = acked(New),
    ?assertEqual(16#00, answer(Packet)),
    ?assertEqual([], nothing(Old)).

stopped() ->
    Dev = receiver(<<"d">>, #{}, 1),
    First = publish(<<"$dm/d/t">>, 1, []),
    {_, Msg} = got(Dev),
    Waiting = publish(<<"$dm/d/t">>, 1, []),
    waiting(1),
    ok = application:stop(tightbeam),
    [?assertEqual({16#80, <<"BROKER_UNAVAILABLE">>}, puback(P)) || P <- [First, Waiting]],
    in(Dev, fun() -> put(inflight, 0) end),
    ok = ack(Dev, Msg),
    ?assertEqual(none, maybe_got(Dev, 10)).

from_delivery() ->
    Dev = receiver(<<"d">>),
    true = erlang:suspend_process(Dev),
    T0 = erlang:monotonic_time(millisecond),
    Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, <<"400">>}]),
    wait(fun() -> tightbeam_inflight:count() =:= 1 end),
    timer:sleep(200),
    T1 = erlang:monotonic_time(millisecond),
    true = erlang:resume_process(Dev),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(Packet)),
    T2 = erlang:monotonic_time(millisecond),
    ?assert(T1 - T0 >= 200),
    ?assert(T2 - T1 >= 399).

hangs() ->
    Dev = receiver(<<"d">>),
    true = erlang:suspend_process(Dev),
    Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, <<"30">>}]),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(Packet)),
    ?assertEqual(none, told(Packet)),
    true = erlang:resume_process(Dev).
