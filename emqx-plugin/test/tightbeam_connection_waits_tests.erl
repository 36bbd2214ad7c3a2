%% A device that is about to wake: what is sent to it waits, and goes to it when it is connected.
-module(tightbeam_connection_waits_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [
    ack/2, answer/1, asked/0, connected/3, disconnect/2, got/1, in/2, keys/0, maybe_got/2, none/1, nothing/1, outcome/1, provide/1, puback/1, publish/3,
    publish/5, receiver/1, receiver/2, wait/1
]).

-export([judge/4]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"is delivered once to the device that comes, and confirmed by it", fun comes/0},
        {"goes at once to a device that is there", fun is_there/0},
        {"goes to a device of which EMQX does not show the channel yet, when it does", fun half_way/0},
        {"goes to a device that came before this node knew that it is waited for", fun came_unseen/0},
        {"is answered when the wait ends, and never delivered after", fun over/0},
        {"is answered 0x83 where there is a session without a connection", fun offline/0},
        {"keeps its order", fun in_order/0},
        {"has its whole timeout from the delivery on", fun timeout/0},
        {"is not delivered where its receiver may not receive by then", fun receiver_denied/0},
        {"is not delivered where its sender may not send any more; the service tells that itself", fun sender_denied/0},
        {"waits on when the device goes before it was written", fun goes_again/0},
        {"is withdrawn with its sender", fun sender_gone/0},
        {"is never delivered when the plugin stops", fun stopped/0},
        {"is bounded for each device, each principal and in all", fun bounded/0},
        {"has waits of 0 to 300000 ms, and none at QoS 0", fun invalid/0},
        {"with an identity is delivered once, whoever repeats it", fun identity/0},
        {"survives the death of the processes that keep it", fun killed/0},
        {"the service is told of a connection, and nothing is delivered", fun watched/0},
        {"the service is told at once of a device that is there", fun watched_there/0},
        {"the service is told when nobody comes", fun watched_in_vain/0},
        {"the service withdraws its question, and has its packet identifier back", fun watch_withdrawn/0},
        {"of anybody but the service the topic is reserved", fun watch_reserved/0},
        {"another node that waits is told, as long as it does", fun other_node/0}
    ]).

send(Wait) -> send(Wait, []).
send(Wait, More) -> publish(<<"$dm/d/t">>, 1, [{<<"dm-wait-ms">>, integer_to_binary(Wait)} | More]).

waiting(N) -> wait(fun() -> tightbeam_connection_waits:count() =:= N end).

expected(N) -> wait(fun() -> tightbeam_arrivals:count() =:= N end).

%% As EMQX does it: the channel is registered, the callbacks run, and then it is shown as connected.
connect(ClientId) ->
    Dev = receiver(ClientId, #{conn_state => connecting}),
    in(Dev, fun() -> put(up, true), emqx_hooks:run('client.connected', [#{clientid => ClientId}, #{}]) end),
    connected(ClientId, Dev, #{}),
    Dev.

acked(Dev) ->
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    emqx_message:topic(Msg).

comes() ->
    Packet = send(60000),
    waiting(1),
    none(Packet),
    Dev = connect(<<"d">>),
    ?assertEqual(<<"t">>, acked(Dev)),
    ?assertEqual(16#00, answer(Packet)),
    ?assertEqual([], nothing(Dev)),
    waiting(0),
    expected(0).

is_there() ->
    Dev = receiver(<<"d">>),
    Packet = send(60000),
    ?assertEqual(<<"t">>, acked(Dev)),
    ?assertEqual(16#00, answer(Packet)).

half_way() ->
    Packet = send(60000),
    waiting(1),
    Dev = receiver(<<"d">>, #{conn_state => connecting}),
    in(Dev, fun() -> put(up, true), emqx_hooks:run('client.connected', [#{clientid => <<"d">>}, #{}]) end),
    none(Packet),
    waiting(1),
    connected(<<"d">>, Dev, #{}),
    ?assertEqual(<<"t">>, acked(Dev)),
    ?assertEqual(16#00, answer(Packet)).

came_unseen() ->
    Packet = send(60000),
    waiting(1),
    expected(1),
    Dev = receiver(<<"d">>),
    none(Packet),
    ok = tightbeam_arrivals:expect([<<"d">>], [node()]),
    ?assertEqual(<<"t">>, acked(Dev)),
    ?assertEqual(16#00, answer(Packet)).

over() ->
    Packet = send(50),
    ?assertEqual({16#90, <<"CLIENT_NOT_CONNECTED">>}, puback(Packet)),
    expected(0),
    ?assertEqual([], nothing(connect(<<"d">>))).

offline() ->
    _ = receiver(<<"d">>, #{conn_state => disconnected}),
    ?assertEqual({16#83, <<"CLIENT_OFFLINE_WITH_SESSION">>}, puback(send(50))).

in_order() ->
    Topics = [integer_to_binary(I) || I <- lists:seq(1, 20)],
    Packets = [publish(<<"$dm/d/", T/binary>>, 1, [{<<"dm-wait-ms">>, <<"60000">>}]) || T <- Topics],
    waiting(20),
    Dev = connect(<<"d">>),
    ?assertEqual(Topics, [acked(Dev) || _ <- Topics]),
    ?assertEqual([0 || _ <- Packets], [answer(P) || P <- Packets]).

timeout() ->
    Packet = send(60000, [{<<"dm-timeout-ms">>, <<"40">>}]),
    waiting(1),
    timer:sleep(60),
    none(Packet),
    Dev = connect(<<"d">>),
    _ = got(Dev),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(Packet)).

receiver_denied() ->
    Packet = send(60000),
    waiting(1),
    provide_by_action(subscribe),
    Dev = connect(<<"d">>),
    ?assertEqual({16#87, <<"RECEIVER_NOT_AUTHORIZED">>}, puback(Packet)),
    ?assertEqual([], nothing(Dev)).

sender_denied() ->
    Packet = send(60000),
    waiting(1),
    provide(deny),
    Dev = connect(<<"d">>),
    ?assertEqual({16#87, <<"SENDER_NOT_AUTHORIZED">>}, puback(Packet)),
    ?assertEqual([{<<"sender">>, #{action_type => publish, qos => 1, retain => false}, <<"$dm/d/t">>}], asked()),
    ?assertEqual([], nothing(Dev)),
    ok = tightbeam_report:flush(),
    ?assertEqual([], tightbeam_channels:received_reports()).

provide_by_action(Denied) ->
    persistent_term:put(?MODULE, Denied),
    emqx_hooks:put('client.authorize', {?MODULE, judge, []}, 100).

judge(_ClientInfo, #{action_type := Type}, _Topic, _Default) ->
    Result = case persistent_term:get(?MODULE) of Type -> deny; _ -> allow end,
    {stop, #{result => Result, from => exhook}}.

goes_again() ->
    Packet = send(60000),
    waiting(1),
    %% It is shown as connected, and takes nothing any more.
    Dev = receiver(<<"d">>, #{conn_state => connecting}),
    connected(<<"d">>, Dev, #{}),
    in(Dev, fun() -> emqx_hooks:run('client.connected', [#{clientid => <<"d">>}, #{}]) end),
    wait(fun() -> tightbeam_inflight:count() =:= 1 orelse tightbeam_connection_waits:count() =:= 1 end),
    ok = disconnect(Dev, normal),
    waiting(1),
    none(Packet),
    Next = connect(<<"d">>),
    ?assertEqual(<<"t">>, acked(Next)),
    ?assertEqual(16#00, answer(Packet)).

sender_gone() ->
    Test = self(),
    Sender = spawn(fun() -> Test ! {sent, send(60000)}, receive stop -> ok end end),
    receive {sent, _} -> ok end,
    waiting(1),
    Sender ! stop,
    waiting(0),
    expected(0),
    ?assertEqual([], nothing(connect(<<"d">>))).

stopped() ->
    Packet = send(60000),
    waiting(1),
    ok = application:stop(tightbeam),
    ?assertEqual({16#80, <<"BROKER_UNAVAILABLE">>}, puback(Packet)),
    ?assertEqual(none, maybe_got(connect(<<"d">>), 10)).

bounded() ->
    Put = fun(Settings) -> tightbeam_config:put(Settings#{guard => off}) end,
    Put(#{connection_waits_max_per_device => 1}),
    _ = send(60000),
    waiting(1),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(send(60000))),
    Put(#{connection_waits_max_per_principal => 1}),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(send(60000))),
    _ = publish(<<"$dm/d/t">>, 1, [{<<"dm-wait-ms">>, <<"60000">>}], #{}, <<"another">>),
    waiting(2),
    Put(#{connection_waits_max => 2}),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(publish(<<"$dm/e/t">>, 1, [{<<"dm-wait-ms">>, <<"60000">>}], #{}, <<"third">>))),
    waiting(2).

invalid() ->
    [
        ?assertEqual({16#90, <<"INVALID_PARAMETER">>}, puback(publish(<<"$dm/d/t">>, 1, [{<<"dm-wait-ms">>, Value}])))
     || Value <- [<<"300001">>, <<"-1">>, <<"1.5">>, <<"soon">>, <<>>, <<"1000000">>]
    ],
    ?assertEqual({16#90, <<"CLIENT_NOT_CONNECTED">>}, puback(send(0))),
    blocked = publish(<<"$dm/d/t">>, 0, [{<<"dm-wait-ms">>, <<"1000">>}]),
    waiting(0),
    ?assertEqual(1, emqx_metrics:read('tightbeam.direct.refused') - 6).

identity() ->
    Id = [{<<"dm-id">>, <<"one">>}],
    First = send(60000, Id),
    Second = send(60000, Id),
    waiting(2),
    Dev = connect(<<"d">>),
    ?assertEqual(<<"t">>, acked(Dev)),
    ?assertEqual({16#00, 16#00}, {answer(First), answer(Second)}),
    ?assertEqual([], nothing(Dev)).

killed() ->
    Packet = send(60000),
    Short = publish(<<"$dm/e/t">>, 1, [{<<"dm-wait-ms">>, <<"1500">>}]),
    waiting(2),
    lists:foreach(
        fun(Name) ->
            Pid = whereis(Name),
            exit(Pid, kill),
            wait(fun() -> is_pid(whereis(Name)) andalso whereis(Name) =/= Pid end)
        end,
        [tightbeam_connection_waits, tightbeam_arrivals]
    ),
    Dev = connect(<<"d">>),
    ?assertEqual(<<"t">>, acked(Dev)),
    ?assertEqual(16#00, answer(Packet)),
    ?assertEqual({16#90, <<"CLIENT_NOT_CONNECTED">>}, puback(Short)).

watch(Wait) ->
    publish(<<"$dm/d/$connected">>, 1, [{<<"dm-wait-ms">>, integer_to_binary(Wait)}, {<<"dm-principal">>, <<"a">>}], #{}, <<"tightbeam">>).

-define(CONNECTED, <<"{\"reason\":\"CLIENT_NOT_CONNECTED\",\"written\":\"no\",\"connected\":true}">>).

watched() ->
    Packet = watch(60000),
    waiting(1),
    Dev = connect(<<"d">>),
    ?assertEqual(16#90, answer(Packet)),
    ?assertEqual(?CONNECTED, outcome(Packet)),
    ?assertEqual([], nothing(Dev)).

watched_there() ->
    _ = receiver(<<"d">>),
    Packet = watch(60000),
    ?assertEqual(16#90, answer(Packet)),
    ?assertEqual(?CONNECTED, outcome(Packet)).

watched_in_vain() ->
    Packet = watch(50),
    ?assertEqual({16#90, <<"CLIENT_NOT_CONNECTED">>}, puback(Packet)),
    ?assertEqual(nothing, outcome(Packet)).

watch_withdrawn() ->
    Packet = watch(60000),
    waiting(1),
    blocked = withdraw(Packet + 1),
    waiting(1),
    blocked = withdraw(Packet),
    ?assertEqual(16#90, answer(Packet)),
    waiting(0),
    expected(0).

withdraw(Packet) ->
    publish(<<"$dm/d/$connected">>, 0, [{<<"dm-withdraw">>, integer_to_binary(Packet)}], #{}, <<"tightbeam">>).

watch_reserved() ->
    ?assertEqual({16#90, <<"RESERVED_TOPIC">>}, puback(publish(<<"$dm/d/$connected">>, 1, [{<<"dm-wait-ms">>, <<"60000">>}]))),
    Packet = watch(60000),
    waiting(1),
    blocked = publish(<<"$dm/d/$connected">>, 0, [{<<"dm-withdraw">>, integer_to_binary(Packet)}]),
    none(Packet),
    waiting(1).

other_node() ->
    Other = 'other@127.0.0.1',
    Cast = fun(Type, Fields) -> tightbeam_wire:cast(node(), tightbeam_arrivals, Type, Fields#{node => Other}) end,
    ok = Cast(expect, #{clientids => [<<"d">>, <<"e">>]}),
    expected(2),
    ok = Cast(forget, #{clientid => <<"e">>}),
    expected(1),
    tightbeam_arrivals ! {nodedown, Other},
    expected(0),
    ok = Cast(expect, #{clientids => [<<"d">>]}),
    expected(1),
    ok = Cast(leave, #{}),
    expected(0),
    %% As that node tells where the device has come.
    Packet = send(60000),
    waiting(1),
    ok = tightbeam_wire:cast(node(), tightbeam_connection_waits, connected, #{clientid => <<"d">>, node => Other}),
    ?assertEqual({16#80, <<"RECEIVER_DISCONNECTED">>}, puback(Packet)),
    ?assertEqual([], keys()).
