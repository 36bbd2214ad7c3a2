%% What the service is told of outcomes.
-module(tightbeam_report_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [answer/1, publish/3, publish/4, published/3, qos_of/1, received_reports/0, reports/0, sent/1, topic_of/1, wait/1, wait/2]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"outcomes are reported, the service's own are not", fun report/0},
        {"many reports go in one call", fun report_batches/0},
        {"a slow service costs reports, not time", fun slow_report/0},
        {"refusals that the service has not made are reported", fun refused_senders/0}
    ]).

report() ->
    emqx_exhook_handler:set(self(), 0),
    Trace = <<"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01">>,
    Before = erlang:system_time(millisecond),
    _ = publish(<<"$dm/nobody/t\"t">>, 1, [{<<"traceparent">>, Trace}, {<<"dm-qos">>, <<"0">>}]),
    {Msg, [Report]} = reports(),
    ?assertEqual({<<"$dm/outcomes">>, 0}, {emqx_message:topic(Msg), emqx_message:qos(Msg)}),
    {match, [EndedAt]} =
        re:run(
            Report,
            <<"^\\{\"reason\":\"CLIENT_NOT_CONNECTED\",\"topic\":\"\\$dm/nobody/t\\\\\"t\",\"from\":\"sender\",\"username\":\"u\","
                "\"peerhost\":\"192\\.0\\.2\\.7\",\"durationMs\":[0-9.]+,\"endedAt\":([0-9]+),\"qos\":0,\"payloadBytes\":7,"
                "\"traceparent\":\"", Trace/binary, "\"\\}$">>,
            [{capture, all_but_first, binary}]
        ),
    ?assert(binary_to_integer(EndedAt) >= Before andalso binary_to_integer(EndedAt) =< erlang:system_time(millisecond)),
    {_, Own} = published(<<"$dm/nobody/t">>, 1, #{proto_ver => 5, username => <<"tightbeam">>, properties => #{}}),
    _ = emqx_hooks:run_fold('message.puback', [9, Own, []], 16#10),
    ?assertEqual(16#90, answer(9)),
    ok = tightbeam_report:flush(),
    receive {report, _, _} -> ?assert(false) after 0 -> ok end.

report_batches() ->
    emqx_exhook_handler:set(self(), 0),
    [answer(publish(<<"$dm/", (integer_to_binary(I))/binary, "/$t">>, 1, [])) || I <- lists:seq(1, 600)],
    sent(600),
    Batches = received_reports(),
    ?assertEqual(600, length(lists:append(Batches))),
    ?assert(length(Batches) < 100),
    [?assert(length(Batch) =< 250) || Batch <- Batches],
    %% In the order of their outcomes.
    ?assertEqual(
        [<<"$dm/", (integer_to_binary(I))/binary, "/$t">> || I <- lists:seq(1, 600)],
        [topic_of(Report) || Batch <- Batches, Report <- Batch]
    ),
    Long = binary:copy(<<"t">>, 60000),
    [answer(publish(<<"$dm/nobody/", Long/binary>>, 1, [])) || _ <- lists:seq(1, 5)],
    sent(605),
    [?assert(length(Batch) =< 3) || Batch <- received_reports()],
    %% What cannot be written is lost alone.
    ok = tightbeam_report:send(nonsense, delivered, 1),
    _ = answer(publish(<<"$dm/nobody/t">>, 1, [])),
    sent(606),
    ?assertMatch([[_]], received_reports()),
    ?assertEqual(1, emqx_metrics:read('tightbeam.report.dropped')).

slow_report() ->
    emqx_exhook_handler:set(undefined, 1000),
    Subject = tightbeam_report:refused_subject(#{clientid => <<"c">>}, 1, <<"$dm/d/t">>),
    [tightbeam_report:send(Subject, delivered, 1) || _ <- lists:seq(1, 10600)],
    ?assertEqual(16#90, answer(publish(<<"$dm/nobody/t">>, 1, []))),
    ?assert(emqx_metrics:read('tightbeam.report.dropped') >= 100),
    emqx_exhook_handler:set(undefined, 0),
    wait(fun() -> emqx_metrics:read('tightbeam.report.sent') + emqx_metrics:read('tightbeam.report.dropped') =:= 10601 end).

refused_senders() ->
    emqx_exhook_handler:set(self(), 0),
    Client = #{clientid => <<"c">>, username => <<"u">>, peerhost => {192, 0, 2, 7}},
    Complete = fun(C, Action, Topic, Result, Source) ->
        emqx_hooks:run('client.check_authz_complete', [C, Action, Topic, Result, Source])
    end,
    Publish = #{action_type => publish, qos => 1, retain => false},
    Topic = <<"$dm/d/t">>,
    ok = Complete(Client, Publish, Topic, allow, cache),
    ok = Complete(Client, Publish, Topic, deny, exhook),
    ok = Complete(Client, Publish, <<"a/b">>, deny, cache),
    ok = Complete(Client, #{action_type => subscribe, qos => 1}, <<"$dm/#">>, deny, cache),
    ok = Complete(Client#{username := <<"tightbeam">>}, Publish, Topic, deny, cache),
    ?assertEqual([], received_reports()),
    ok = Complete(Client, Publish, Topic, deny, cache),
    ok = Complete(Client, Publish, Topic, deny, file),
    emqx_cm:put_channel(<<"c">>, self(), #{conninfo => #{proto_ver => 5}}),
    ok = Complete(Client, Publish#{qos := 2}, Topic, deny, tightbeam),
    ok = tightbeam_report:flush(),
    [[Cached, File, QoS2]] = received_reports(),
    Head = fun(Reason) ->
        <<"{\"reason\":\"", Reason/binary, "\",\"topic\":\"$dm/d/t\",\"from\":\"c\",\"username\":\"u\",\"peerhost\":\"192.0.2.7\",\"durationMs\":0.0,">>
    end,
    ?assertMatch({0, _}, binary:match(Cached, Head(<<"SENDER_NOT_AUTHORIZED">>))),
    ?assertMatch({0, _}, binary:match(File, Head(<<"SENDER_NOT_AUTHORIZED">>))),
    ?assertMatch({0, _}, binary:match(QoS2, Head(<<"INVALID_PARAMETER">>))),
    [?assertEqual(nomatch, binary:match(R, <<"payloadBytes">>)) || R <- [Cached, File, QoS2]],
    ?assertEqual([1, 1, 2], [qos_of(R) || R <- [Cached, File, QoS2]]),
    ?assertEqual(3, emqx_metrics:read('tightbeam.direct.sender_not_authorized')).
