%% What a sender may do, and what it is told.
-module(tightbeam_sender_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [puback/1, keys/0, answer/1, got/1, nothing/1, publish/3, publish/4, published/3, receiver/1, receiver/2, wait/1, wait/2]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"a sender that goes takes its entries along", fun sender_gone/0},
        {"too many senders waiting", fun busy/0},
        {"messages without a client are dropped", fun foreign/0},
        {"3.1.1 is never acknowledged, and its connection is closed", fun old_protocol/0},
        {"ordinary messages pass untouched", fun ordinary/0},
        {"a publish that passed the plugin by is never confirmed", fun passed_by/0},
        {"stopping answers everybody and leaves no hook", fun stop/0},
        {"a failure names its reason in the PUBACK, where the sender takes it", fun reason_strings/0},
        {"a sender that goes takes along what is its own, and nothing else", fun crowd/0}
    ]).

sender_gone() ->
    Dev = receiver(<<"d">>),
    Test = self(),
    Sender = spawn(fun() -> Test ! {sent, publish(<<"$dm/d/t">>, 1, [])}, receive stop -> ok end end),
    receive {sent, _} -> ok end,
    _ = got(Dev),
    ?assertEqual(1, tightbeam_pending:count()),
    Sender ! stop,
    wait(fun() -> tightbeam_pending:count() =:= 0 end),
    ?assertEqual(1, emqx_metrics:read('tightbeam.direct.sender_gone')).

busy() ->
    tightbeam_config:put(#{max_pending => 1, guard => off}),
    _ = receiver(<<"d">>),
    _ = publish(<<"$dm/d/t">>, 1, []),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(publish(<<"$dm/d/t">>, 1, []))).

foreign() ->
    Dev = receiver(<<"d">>),
    Headers = #{proto_ver => 5, properties => #{}},
    Msg = emqx_message:make(<<"someone">>, 1, <<"$dm/d/t">>, <<>>, #{}, Headers),
    Result = emqx_hooks:run_fold('message.publish', [], Msg),
    ?assertEqual(false, emqx_message:get_header(allow_publish, Result, true)),
    ?assertEqual([], nothing(Dev)),
    ?assertEqual(1, emqx_metrics:read('tightbeam.direct.not_from_client')).

old_protocol() ->
    Dev = receiver(<<"d">>),
    {Result, Msg} = published(<<"$dm/d/t">>, 1, #{proto_ver => 4, properties => #{}}),
    ?assertEqual(undefined, emqx_hooks:run_fold('message.puback', [1, Msg, []], 16#10)),
    ?assertEqual([], nothing(Dev)),
    Told = receive {disconnect, 16#83, _, _} -> true after 20 -> false end,
    %% By the header where this EMQX heeds it, by a message to the connection before.
    ?assertEqual({tightbeam_emqx:has_hook_point('schema.validation_failed'), true},
        {emqx_message:get_header(should_disconnect, Result, false), Told =/= emqx_message:get_header(should_disconnect, Result, false)}).

ordinary() ->
    Msg = emqx_message:make(<<"s">>, 1, <<"a/b">>, <<>>, #{}, #{properties => #{}}),
    ?assertEqual(Msg, emqx_hooks:run_fold('message.publish', [], Msg)),
    ?assertEqual(16#10, emqx_hooks:run_fold('message.puback', [1, Msg, []], 16#10)),
    ?assertEqual(Msg, emqx_hooks:run_fold('message.delivered', [#{}], Msg)),
    ok = emqx_hooks:run('message.acked', [#{}, Msg]),
    ok = emqx_hooks:run('delivery.dropped', [#{}, Msg, queue_full]).

passed_by() ->
    emqx_cm:put_channel(<<"sender">>, self(), #{conninfo => #{conn_mod => emqx_connection}}),
    Msg = emqx_message:make(<<"sender">>, 1, <<"$dm/d/t">>, <<>>, #{}, #{proto_ver => 5, properties => #{}}),
    ?assertEqual(undefined, emqx_hooks:run_fold('message.puback', [1, Msg, []], 16#10)),
    ?assertEqual({16#80, <<"BROKER_UNAVAILABLE">>}, puback(1)).

%% MQTT 5 section 3.4.2.2.2, and 3.1.2.11.7.
reason_strings() ->
    [
        ?assertEqual({Code, Reason}, puback(publish(Topic, 1, Props)))
     || {Topic, Props, Code, Reason} <- [
            {<<"$dm/$d/t">>, [], 16#90, <<"INVALID_CLIENT_ID">>},
            {<<"$dm/d/1/2/3/4/5/6/7/8/9">>, [], 16#90, <<"INVALID_TOPIC">>},
            {<<"$dm/d/$SYS/x">>, [], 16#90, <<"RESERVED_TOPIC">>},
            {<<"$dm/d/t">>, [{<<"dm-timeout-ms">>, <<"0">>}], 16#90, <<"INVALID_PARAMETER">>},
            {<<"$dm/nobody/t">>, [], 16#90, <<"CLIENT_NOT_CONNECTED">>}
        ]
    ],
    [
        begin
            Packet = publish(<<"$dm/nobody/t">>, 1, []),
            emqx_cm:put_channel(<<"sender">>, self(), #{conninfo => #{conn_props => Props}}),
            ?assertEqual({16#90, Reason}, puback(Packet))
        end
     || {Props, Reason} <- [
            {#{'Request-Problem-Information' => 0}, none},
            {#{'Request-Problem-Information' => 1}, <<"CLIENT_NOT_CONNECTED">>},
            {#{'Maximum-Packet-Size' => 28}, none},
            {#{'Maximum-Packet-Size' => 29}, <<"CLIENT_NOT_CONNECTED">>}
        ]
    ],
    emqx_cm:put_channel(<<"sender">>, self(), #{conninfo => #{conn_mod => emqx_ws_connection}}),
    Ws = publish(<<"$dm/nobody/t">>, 1, []),
    emqx_cm:put_channel(<<"sender">>, self(), #{conninfo => #{conn_mod => emqx_ws_connection}}),
    Message = receive M when element(1, M) =:= timeout; element(1, M) =:= outgoing -> M end,
    ?assertEqual(tightbeam_emqx:has_hook_point('client.timeout'), element(1, Message) =:= timeout),
    self() ! Message,
    ?assertEqual({16#90, <<"CLIENT_NOT_CONNECTED">>}, puback(Ws)),
    %% Timeouts that are not ours stay as they are.
    ?assertEqual([], emqx_hooks:run_fold('client.timeout', [make_ref(), keepalive], [])).

crowd() ->
    _ = receiver(<<"d">>),
    Test = self(),
    Senders = [spawn(fun() -> [publish(<<"$dm/d/t">>, 1, []) || _ <- [1, 2, 3]], Test ! sent, receive stop -> ok end end) || _ <- [1, 2]],
    [receive sent -> ok end || _ <- Senders],
    ?assertEqual(6, tightbeam_pending:count()),
    hd(Senders) ! stop,
    wait(fun() -> tightbeam_pending:count() =:= 3 end),
    ?assertEqual(3, emqx_metrics:read('tightbeam.direct.sender_gone')),
    ?assertEqual([lists:last(Senders)], lists:usort([element(1, K) || K <- keys()])).

stop() ->
    _ = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    ok = application:stop(tightbeam),
    ?assertEqual({16#80, <<"BROKER_UNAVAILABLE">>}, puback(Packet)),
    ?assertEqual([], ets:tab2list(emqx_hooks_stand_in)).
