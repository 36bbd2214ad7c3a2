%% Direct messages on their way to the device, and what becomes of them.
-module(tightbeam_delivery_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [connected/3, receiver/3, disconnect/2, puback/1, told/1, ack/2, answer/1, delivered/2, expires/1, got/1, in/2, maybe_got/2, none/1, nothing/1, provide/1, publish/3, publish/4, publish/5, receiver/1, receiver/2]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"the receiver's acknowledgement answers the sender once", fun acknowledged/0},
        {"nothing of the parameters reaches the receiver, everything else does", fun properties/0},
        {"the trace that the service gave the broker does not reach the receiver, a sender's own does", fun trace/0},
        {"handing over at QoS 0 answers at once", fun handed_over/0},
        {"a QoS 0 sender gets no answer", fun qos0/0},
        {"no such client", fun absent/0},
        {"a session without a connection", fun offline/0},
        {"the later of two channels gets it", fun two_channels/0},
        {"the deadline answers, and bounds the message's life to the millisecond", fun deadline/0},
        {"the sender's own shorter expiry counts", fun own_expiry/0},
        {"acknowledgement, deadline and disconnect race: always one answer", fun race/0},
        {"a receiver that disconnects answers its senders at once", fun disconnected/0},
        {"a receiver whose process dies answers its senders at once", fun died/0},
        {"a takeover leaves the answer to the next connection", fun takeover/0},
        {"a full queue of the receiver", fun queue_full/0},
        {"a QoS 0 message that EMQX drops at once tells whether the device is there", fun qos0_dropped/0},
        {"rules do not see a direct message when it is delivered or acknowledged", fun hidden_from_rules/0},
        {"a packet too large for the receiver is never sent", fun too_large/0},
        {"messages to one device stay in order", fun order/0},
        {"what is known at once does not overtake what waits for an answer", fun no_overtaking/0}
    ]).

acknowledged() ->
    Dev = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/a/b">>, 1, []),
    {Filter, Msg} = got(Dev),
    ?assertEqual(<<"$dm/d/a/b">>, Filter),
    ?assertEqual({<<"a/b">>, 1, <<"payload">>}, {emqx_message:topic(Msg), emqx_message:qos(Msg), emqx_message:payload(Msg)}),
    none(Packet),
    ack(Dev, Msg),
    ?assertEqual(16#00, answer(Packet)),
    ack(Dev, Msg),
    none(Packet),
    ?assertEqual(0, tightbeam_pending:count()),
    ?assertEqual(1, emqx_metrics:read('tightbeam.direct.delivered')).

properties() ->
    Dev = receiver(<<"d">>),
    _ = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, <<"900">>}, {<<"a">>, <<"1">>}, {<<"dm-other">>, <<"x">>}, {<<"a">>, <<"2">>}], #{
        'Content-Type' => <<"c">>, 'Topic-Alias' => 3
    }),
    {_, Msg} = got(Dev),
    Seen = delivered(Dev, Msg),
    ?assertEqual(
        #{'Content-Type' => <<"c">>, 'User-Property' => [{<<"a">>, <<"1">>}, {<<"a">>, <<"2">>}]},
        emqx_message:get_header(properties, Seen, undefined)
    ).

trace() ->
    Dev = receiver(<<"d">>),
    Trace = {<<"traceparent">>, <<"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01">>},
    Own = {<<"dm-traceparent">>, <<"own">>},
    Seen = fun(UserProps, Username) ->
        _ = publish(<<"$dm/d/t">>, 1, UserProps, #{}, Username),
        {_, Msg} = got(Dev),
        maps:get('User-Property', emqx_message:get_header(properties, delivered(Dev, Msg), undefined))
    end,
    ?assertEqual([{<<"a">>, <<"1">>}], Seen([Trace, {<<"a">>, <<"1">>}, Own], <<"tightbeam">>)),
    ?assertEqual([Trace], Seen([Trace], <<"tightbeam">>)),
    ?assertEqual([Trace], Seen([Trace, Own], <<"u">>)).

handed_over() ->
    Dev = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-qos">>, <<"0">>}]),
    {_, Msg} = got(Dev),
    ?assertEqual(0, emqx_message:qos(Msg)),
    ?assertEqual(16#00, answer(Packet)),
    ?assertEqual(1, emqx_metrics:read('tightbeam.direct.dispatched')).

qos0() ->
    Dev = receiver(<<"d">>),
    ?assertEqual(blocked, publish(<<"$dm/d/t">>, 0, [])),
    {_, Msg} = got(Dev),
    ?assertEqual(0, emqx_message:qos(Msg)),
    _ = delivered(Dev, Msg),
    ?assertEqual(0, tightbeam_pending:count()),
    receive {puback, _, _, _} = P -> ?assertEqual(none, P) after 20 -> ok end.

absent() ->
    ?assertEqual(16#90, answer(publish(<<"$dm/nobody/t">>, 1, []))).

offline() ->
    _ = receiver(<<"d">>, #{conn_state => disconnected}),
    ?assertEqual(16#83, answer(publish(<<"$dm/d/t">>, 1, []))).

two_channels() ->
    Old = receiver(<<"d">>, #{conninfo => #{proto_ver => 5, connected_at => 1}}),
    New = receiver(<<"d">>, #{conninfo => #{proto_ver => 5, connected_at => 2}}),
    _ = receiver(<<"d">>, #{conn_state => disconnected, conninfo => #{proto_ver => 5, connected_at => 3}}),
    _ = publish(<<"$dm/d/t">>, 1, []),
    _ = got(New),
    ?assertEqual([], nothing(Old)).

deadline() ->
    Dev = receiver(<<"d">>),
    T0 = erlang:system_time(millisecond),
    Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, <<"150">>}]),
    T1 = erlang:system_time(millisecond),
    {_, Msg} = got(Dev),
    Ends = expires(Msg),
    ?assert(Ends >= T0 + 149 andalso Ends =< T1 + 151),
    ?assertEqual(16#80, answer(Packet)),
    Took = erlang:system_time(millisecond) - T0,
    ?assert(Took >= 149),
    ack(Dev, Msg),
    none(Packet),
    ?assertEqual(0, emqx_metrics:read('tightbeam.direct.delivered')).

own_expiry() ->
    Dev = receiver(<<"d">>),
    T0 = erlang:system_time(millisecond),
    _ = publish(<<"$dm/d/t">>, 1, [], #{'Message-Expiry-Interval' => 2}),
    T1 = erlang:system_time(millisecond),
    {_, Msg} = got(Dev),
    Ends = expires(Msg),
    ?assert(Ends >= T0 + 1999 andalso Ends =< T1 + 2001),
    Seen = delivered(Dev, Msg),
    ?assertMatch(#{'Message-Expiry-Interval' := N} when N =:= 2; N =:= 1, emqx_message:get_header(properties, Seen, #{})).

race() ->
    Dev = receiver(<<"d">>, #{}, 1000),
    N = 100,
    Packets = [
        begin
            Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, integer_to_binary(1 + rand:uniform(20))}]),
            spawn(fun() -> timer:sleep(rand:uniform(20)), tightbeam_inflight:gone(Dev) end),
            Packet
        end
     || _ <- lists:seq(1, N)
    ],
    Acker = spawn_link(fun F() ->
        case maybe_got(Dev, 40) of
            none -> ok;
            {_, Msg} -> timer:sleep(rand:uniform(2)), ack(Dev, Msg), F()
        end
    end),
    Answers = [{P, answer(P)} || P <- Packets],
    Ref = monitor(process, Acker),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    timer:sleep(50),
    ?assertEqual(N, length(Answers)),
    [?assert(lists:member(Code, [16#00, 16#80])) || {_, Code} <- Answers],
    [?assertEqual(none, told(P)) || P <- Packets],
    ?assertEqual(0, tightbeam_pending:count()).

disconnected() ->
    Dev = receiver(<<"d">>),
    Packets = [publish(<<"$dm/d/t">>, 1, []) || _ <- [1, 2, 3]],
    [got(Dev) || _ <- [1, 2, 3]],
    disconnect(Dev, sock_closed),
    ?assertEqual([16#80, 16#80, 16#80], [answer(P) || P <- Packets]),
    ?assertEqual(3, emqx_metrics:read('tightbeam.direct.receiver_disconnected')).

died() ->
    Dev = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    _ = got(Dev),
    exit(Dev, kill),
    ?assertEqual(16#80, answer(Packet)).

takeover() ->
    Old = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    {_, Msg} = got(Old),
    disconnect(Old, takenover),
    exit(Old, kill),
    none(Packet),
    New = receiver(<<"d">>),
    ack(New, Msg),
    ?assertEqual(16#00, answer(Packet)).

queue_full() ->
    Dev = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    {_, Msg} = got(Dev),
    in(Dev, fun() -> emqx_hooks:run('delivery.dropped', [#{}, Msg, queue_full]) end),
    ?assertEqual(16#97, answer(Packet)).

qos0_dropped() ->
    Drop = fun(State) ->
        %% One that drops and does not write.
        Dev = spawn(fun() ->
            receive {deliver, _, Msg} ->
                emqx_cm:put_channel(<<"d">>, self(), #{conn_state => State}),
                emqx_hooks:run('delivery.dropped', [#{clientid => <<"d">>}, Msg, qos0_msg])
            end,
            receive stop -> ok end
        end),
        connected(<<"d">>, Dev, #{}),
        Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-qos">>, <<"0">>}]),
        Answer = puback(Packet),
        emqx_cm:delete_channel(<<"d">>, Dev),
        Answer
    end,
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, Drop(connected)),
    ?assertEqual({16#80, <<"RECEIVER_DISCONNECTED">>}, Drop(disconnected)).

%% EMQX's rule engine leaves out what has this flag.
hidden_from_rules() ->
    Dev = receiver(<<"d">>),
    _ = publish(<<"$dm/d/t">>, 1, []),
    {_, Msg} = got(Dev),
    ?assert(emqx_message:get_flag(sys, delivered(Dev, Msg), false)).

too_large() ->
    Dev = receiver(<<"d">>, #{conninfo => #{proto_ver => 5, conn_props => #{'Maximum-Packet-Size' => 10}}}),
    ?assertEqual(16#99, answer(publish(<<"$dm/d/t">>, 1, []))),
    ?assertEqual([], nothing(Dev)).

order() ->
    Dev = receiver(<<"d">>, #{}, 1000),
    N = 500,
    [publish(<<"$dm/d/", (integer_to_binary(I))/binary>>, 1, []) || I <- lists:seq(1, N)],
    ?assertEqual(
        [integer_to_binary(I) || I <- lists:seq(1, N)],
        [emqx_message:topic(element(2, got(Dev))) || _ <- lists:seq(1, N)]
    ).

%% Every other topic has been asked about; the others wait for a slow provider.
no_overtaking() ->
    Dev = receiver(<<"d">>, #{}, 1000),
    provide(allow),
    _ = publish(<<"$dm/d/known">>, 1, []),
    _ = got(Dev),
    provide({after_ms, 2, allow}),
    Topics = lists:append([[<<"known">>, integer_to_binary(I), <<"known">>] || I <- lists:seq(1, 50)]),
    [publish(<<"$dm/d/", Topic/binary>>, 1, []) || Topic <- Topics],
    ?assertEqual(Topics, [emqx_message:topic(element(2, got(Dev))) || _ <- Topics]).
