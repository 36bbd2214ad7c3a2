%% The whole plugin, hooked into a stand-in of EMQX: senders and receivers are processes that do what
%% a channel does.
-module(tightbeam_tests).
-include_lib("eunit/include/eunit.hrl").

-export([provider/4]).

-define(TIMEOUT, 2000).

plugin_test_() ->
    Tests = [
        {"the receiver's acknowledgement answers the sender once", fun acknowledged/0},
        {"nothing of the parameters reaches the receiver, everything else does", fun properties/0},
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
        {"a sender that goes takes its entries along", fun sender_gone/0},
        {"a full queue of the receiver", fun queue_full/0},
        {"too many senders waiting", fun busy/0},
        {"a packet too large for the receiver is never sent", fun too_large/0},
        {"a receiver that may not receive", fun not_authorized/0},
        {"decisions are cached per connection and topic for the ttl", fun authz_cache/0},
        {"the guard's refusal is not cached", fun guard_not_cached/0},
        {"only the plugin may ask to subscribe under the prefix", fun subscribe/0},
        {"what a client may not publish is refused before the chain is asked", fun publish_authz/0},
        {"messages without a client are dropped", fun foreign/0},
        {"3.1.1 is never acknowledged, and its connection is closed", fun old_protocol/0},
        {"ordinary messages pass untouched", fun ordinary/0},
        {"outcomes are reported, the service's own are not", fun report/0},
        {"many reports go in one call", fun report_batches/0},
        {"a slow service costs reports, not time", fun slow_report/0},
        {"refusals that the service has not made are reported", fun refused_senders/0},
        {"the guard denies what nobody decided", fun guard/0},
        {"who got in before the guard at boot has to come back", fun guard_after_boot/0},
        {"a node that dies answers the senders that wait for it", fun nodedown/0},
        {"answers from another node go to the table of the sender's node", fun remote_complete/0},
        {"a publish that passed the plugin by is never confirmed", fun passed_by/0},
        {"Prometheus gets every counter", fun prometheus/0},
        {"a counter that cannot be read costs itself alone", fun unreadable/0},
        {"status", fun status/0},
        {"messages to one device stay in order", fun order/0},
        {"what is known at once does not overtake what waits for an answer", fun no_overtaking/0},
        {"stopping answers everybody and leaves no hook", fun stop/0}
    ],
    {foreach, fun setup/0, fun cleanup/1, [{Title, {timeout, 20, Test}} || {Title, Test} <- Tests]}.

setup() ->
    Owner = spawn(fun() ->
        emqx_cm:start(),
        emqx_hooks:start(),
        emqx_metrics:start(),
        receive stop -> ok end
    end),
    wait(fun() -> ets:info(emqx_metrics) =/= undefined end),
    emqx:set_config([authorization, cache], #{enable => true, ttl => 60000}),
    emqx:set_config([authorization, no_match], allow),
    emqx:set_config([exhook, servers], []),
    persistent_term:put({emqx_release, version}, "5.8.9"),
    emqx_exhook_handler:set(undefined, 0),
    {ok, _} = application:ensure_all_started(tightbeam),
    Owner.

cleanup(Owner) ->
    _ = application:stop(tightbeam),
    Ref = monitor(process, Owner),
    Owner ! stop,
    receive {'DOWN', Ref, _, _, _} -> ok end,
    flush().

%%--------------------------------------------------------------------

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

handed_over() ->
    Dev = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-qos">>, <<"0">>}]),
    {_, Msg} = got(Dev),
    ?assertEqual(0, emqx_message:qos(Msg)),
    none(Packet),
    _ = delivered(Dev, Msg),
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
    {_, Msg} = got(Dev),
    Ends = expires(Msg),
    ?assert(Ends - T0 >= 100 andalso Ends - T0 =< 160),
    ?assertEqual(16#80, answer(Packet)),
    Took = erlang:system_time(millisecond) - T0,
    ?assert(Took >= 149 andalso Took < 400),
    ack(Dev, Msg),
    none(Packet),
    ?assertEqual(0, emqx_metrics:read('tightbeam.direct.delivered')).

own_expiry() ->
    Dev = receiver(<<"d">>),
    T0 = erlang:system_time(millisecond),
    _ = publish(<<"$dm/d/t">>, 1, [], #{'Message-Expiry-Interval' => 2}),
    {_, Msg} = got(Dev),
    Ends = expires(Msg),
    ?assert(Ends - T0 > 1900 andalso Ends - T0 =< 2100),
    Seen = delivered(Dev, Msg),
    ?assertMatch(#{'Message-Expiry-Interval' := N} when N =:= 2; N =:= 1, emqx_message:get_header(properties, Seen, #{})).

race() ->
    Dev = receiver(<<"d">>),
    N = 300,
    Packets = [
        begin
            Packet = publish(<<"$dm/d/t">>, 1, [{<<"dm-timeout-ms">>, integer_to_binary(1 + rand:uniform(20))}]),
            spawn(fun() -> timer:sleep(rand:uniform(20)), tightbeam_inflight:gone(Dev) end),
            Packet
        end
     || _ <- lists:seq(1, N)
    ],
    Acker = spawn_link(fun F() ->
        case maybe_got(Dev) of
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
    receive {puback, _, _, _} = Second -> ?assertEqual(none, Second) after 50 -> ok end,
    ?assertEqual(0, tightbeam_pending:count()).

disconnected() ->
    Dev = receiver(<<"d">>),
    Packets = [publish(<<"$dm/d/t">>, 1, []) || _ <- [1, 2, 3]],
    [got(Dev) || _ <- [1, 2, 3]],
    in(Dev, fun() -> emqx_hooks:run('client.disconnected', [#{}, sock_closed, #{}]) end),
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
    in(Old, fun() -> emqx_hooks:run('client.disconnected', [#{}, takenover, #{}]) end),
    exit(Old, kill),
    none(Packet),
    New = receiver(<<"d">>),
    ack(New, Msg),
    ?assertEqual(16#00, answer(Packet)).

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

queue_full() ->
    Dev = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    {_, Msg} = got(Dev),
    in(Dev, fun() -> emqx_hooks:run('delivery.dropped', [#{}, Msg, queue_full]) end),
    ?assertEqual(16#97, answer(Packet)).

busy() ->
    tightbeam_config:put(#{max_pending => 1, guard => off}),
    _ = receiver(<<"d">>),
    _ = publish(<<"$dm/d/t">>, 1, []),
    ?assertEqual(16#97, publish(<<"$dm/d/t">>, 1, [])).

too_large() ->
    Dev = receiver(<<"d">>, #{conninfo => #{proto_ver => 5, conn_props => #{'Maximum-Packet-Size' => 10}}}),
    ?assertEqual(16#99, answer(publish(<<"$dm/d/t">>, 1, []))),
    ?assertEqual([], nothing(Dev)).

not_authorized() ->
    Dev = receiver(<<"d">>),
    provide(deny),
    ?assertEqual(16#87, answer(publish(<<"$dm/d/t">>, 1, []))),
    ?assertEqual([], nothing(Dev)),
    ?assertEqual([{<<"d">>, #{action_type => subscribe, qos => 1}, <<"$dm/d/t">>}], asked()).

authz_cache() ->
    Dev = receiver(<<"d">>),
    provide(allow),
    Send = fun(Topic) -> _ = publish(Topic, 1, []), {_, M} = got(Dev), ack(Dev, M) end,
    [Send(<<"$dm/d/t">>) || _ <- [1, 2, 3]],
    ?assertEqual(1, length(asked())),
    Send(<<"$dm/d/other">>),
    ?assertEqual(1, length(asked())),
    emqx:set_config([authorization, cache], #{enable => true, ttl => 1}),
    ok = tightbeam_authz:clean(),
    Send(<<"$dm/d/t">>),
    timer:sleep(5),
    Send(<<"$dm/d/t">>),
    ?assertEqual(2, length(asked())),
    emqx:set_config([authorization, cache], #{enable => false, ttl => 60000}),
    [Send(<<"$dm/d/t">>) || _ <- [1, 2]],
    ?assertEqual(2, length(asked())),
    emqx:set_config([authorization, cache], #{enable => true, ttl => 60000}),
    ok = tightbeam_authz:clean(),
    Send(<<"$dm/d/t">>),
    in(Dev, fun() -> emqx_hooks:run('client.disconnected', [#{}, normal, #{}]) end),
    ?assertEqual(0, tightbeam_authz:count()).

guard_not_cached() ->
    tightbeam_config:put(#{guard => deny}),
    _ = receiver(<<"d">>),
    ?assertEqual(16#87, answer(publish(<<"$dm/d/t">>, 1, []))),
    ?assertEqual(0, tightbeam_authz:count()).

subscribe() ->
    Ask = fun(Filter) -> authorize(#{clientid => <<"c">>}, #{action_type => subscribe, qos => 1}, Filter) end,
    [?assertEqual(deny, Ask(F)) || F <- [<<"$dm/#">>, <<"$share/g/$dm/#">>, {share, <<"g">>, <<"$dm/c/t">>}]],
    ?assertEqual(allow, Ask(<<"a/#">>)),
    ?assertEqual(allow, Ask(<<"#">>)).

publish_authz() ->
    provide(deny),
    Ask = fun(Client, Topic) -> authorize(Client, #{action_type => publish, qos => 1, retain => false}, Topic) end,
    ?assertEqual(deny, Ask(#{clientid => <<"c">>, mountpoint => undefined}, <<"$dm/d/t">>)),
    ?assertEqual(1, length(asked())),
    ?assertEqual(allow, Ask(#{clientid => <<"c">>}, <<"$dm/%zz/t">>)),
    ?assertEqual(deny, Ask(#{clientid => <<"c">>, mountpoint => <<"tenant/">>}, <<"$dm/d/t">>)),
    emqx_cm:put_channel(<<"c">>, self(), #{conninfo => #{proto_ver => 5}}),
    ?assertEqual(deny, authorize(#{clientid => <<"c">>}, #{action_type => publish, qos => 2, retain => false}, <<"$dm/d/t">>)),
    ?assertEqual([], asked()).

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
    [answer(publish(<<"$dm/nobody/", (integer_to_binary(I))/binary>>, 1, [])) || I <- lists:seq(1, 600)],
    sent(600),
    Batches = received_reports(),
    ?assertEqual(600, length(lists:append(Batches))),
    ?assert(length(Batches) < 100),
    [?assert(length(Batch) =< 250) || Batch <- Batches],
    %% In the order of their outcomes.
    ?assertEqual(
        [<<"$dm/nobody/", (integer_to_binary(I))/binary>> || I <- lists:seq(1, 600)],
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

guard() ->
    Default = {ok, #{is_superuser => false}},
    Connect = fun() -> emqx_hooks:run_fold('client.authenticate', [#{clientid => <<"c">>}], Default) end,
    Publish = fun() -> authorize(#{clientid => <<"c">>}, #{action_type => publish, qos => 0}, <<"a">>) end,
    ?assertEqual({Default, allow}, {Connect(), Publish()}),
    tightbeam_config:put(#{guard => auto}),
    ?assertEqual({Default, allow}, {Connect(), Publish()}),
    emqx:set_config([exhook, servers], [#{name => <<"tightbeam">>, enable => true}]),
    ?assertEqual({{error, not_authorized}, deny}, {Connect(), Publish()}),
    wait(fun() -> emqx_alarm:is_active(tightbeam_no_hook_provider) end),
    %% A provider that answers ends the chain before the guard.
    provide(allow),
    ?assertEqual(allow, Publish()),
    tightbeam_config:put(#{guard => auto, guard_authenticate => false}),
    ?assertEqual(Default, Connect()),
    emqx:set_config([exhook, servers], [#{name => <<"tightbeam">>, enable => false}]),
    ok = emqx_hooks:del('client.authorize', {?MODULE, provider}),
    ?assertEqual(allow, Publish()),
    ok = tightbeam_guard:clear(),
    ?assertNot(emqx_alarm:is_active(tightbeam_no_hook_provider)).

guard_after_boot() ->
    Now = erlang:system_time(millisecond),
    emqx_cm:put_channel(<<"early">>, self(), #{conninfo => #{connected_at => Now - 10}}),
    tightbeam_config:put(#{guard => off}),
    ok = tightbeam_guard:after_boot(),
    receive {disconnect, _, _, _} -> ?assert(false) after 20 -> ok end,
    tightbeam_config:put(#{guard => deny}),
    ok = tightbeam_guard:after_boot(),
    receive {disconnect, 16#89, _, _} -> ok after ?TIMEOUT -> ?assert(false) end,
    %% Accepted under the guard: left alone.
    emqx_cm:put_channel(<<"early">>, self(), #{conninfo => #{connected_at => Now + 5000}}),
    tightbeam_guard ! {disconnect_earlier, Now},
    _ = tightbeam_guard:status(),
    receive {disconnect, _, _, _} -> ?assert(false) after 20 -> ok end.

nodedown() ->
    _ = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    Node = 'other@127.0.0.1',
    [{_, Ref} | _] = [{node(), R} || R <- refs()],
    %% A node that is not there any more when the message is sent on to it: at once.
    ok = tightbeam_pending:bind({node(), Ref}, Node),
    ?assertEqual(16#80, answer(Packet)).

remote_complete() ->
    _ = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    [Ref] = refs(),
    gen_server:cast(tightbeam_pending, {complete, Ref, delivered}),
    ?assertEqual(16#00, answer(Packet)).

passed_by() ->
    emqx_cm:put_channel(<<"sender">>, self(), #{}),
    Msg = emqx_message:make(<<"sender">>, 1, <<"$dm/d/t">>, <<>>, #{}, #{proto_ver => 5, properties => #{}}),
    ?assertEqual(16#80, emqx_hooks:run_fold('message.puback', [1, Msg, []], 16#10)).

prometheus() ->
    ?assertEqual([tightbeam_prometheus], prometheus_registry:collectors(default)),
    ok = tightbeam_prometheus:collect_mf(default, fun(Family) -> self() ! {printed, Family} end),
    Families = printed(),
    ?assertEqual(length(tightbeam_metrics:names()), length(Families)),
    ?assert(lists:member({<<"emqx_tightbeam_direct_delivered">>, counter, 0}, Families)),
    ok = application:stop(tightbeam),
    ?assertEqual([], prometheus_registry:collectors(default)).

unreadable() ->
    true = ets:delete(emqx_metrics, 'tightbeam.direct.delivered'),
    ok = tightbeam_metrics:inc('tightbeam.direct.delivered'),
    ok = tightbeam_prometheus:collect_mf(default, fun(Family) -> self() ! {printed, Family} end),
    ?assertEqual(length(tightbeam_metrics:names()) - 1, length(printed())),
    ok = tightbeam_cli:cli(["status"]),
    ?assert(lists:any(fun(L) -> string:find(L, "unreadable       : 2") =/= nomatch end, printed())).

status() ->
    ok = tightbeam_cli:cli(["status"]),
    Lines = printed(),
    ?assert(lists:any(fun(L) -> string:find(L, "hooks") =/= nomatch andalso string:find(L, "loaded") =/= nomatch end, Lines)).

order() ->
    Dev = receiver(<<"d">>),
    N = 500,
    [publish(<<"$dm/d/", (integer_to_binary(I))/binary>>, 1, []) || I <- lists:seq(1, N)],
    ?assertEqual(
        [integer_to_binary(I) || I <- lists:seq(1, N)],
        [emqx_message:topic(element(2, got(Dev))) || _ <- lists:seq(1, N)]
    ).

%% Every other topic has been asked about; the others wait for a slow provider.
no_overtaking() ->
    Dev = receiver(<<"d">>),
    provide(allow),
    _ = publish(<<"$dm/d/known">>, 1, []),
    _ = got(Dev),
    provide({after_ms, 2, allow}),
    Topics = lists:append([[<<"known">>, integer_to_binary(I), <<"known">>] || I <- lists:seq(1, 50)]),
    [publish(<<"$dm/d/", Topic/binary>>, 1, []) || Topic <- Topics],
    ?assertEqual(Topics, [emqx_message:topic(element(2, got(Dev))) || _ <- Topics]).

stop() ->
    _ = receiver(<<"d">>),
    Packet = publish(<<"$dm/d/t">>, 1, []),
    ok = application:stop(tightbeam),
    ?assertEqual(16#80, answer(Packet)),
    ?assertEqual([], ets:tab2list(emqx_hooks_stand_in)).

%%--------------------------------------------------------------------
%% Senders: the calling process is a channel with the client ID `sender'
%%--------------------------------------------------------------------

published(Topic, QoS, Headers) ->
    emqx_cm:put_channel(<<"sender">>, self(), #{}),
    Msg = emqx_message:make(<<"sender">>, QoS, Topic, <<"payload">>, #{}, Headers),
    {emqx_hooks:run_fold('message.publish', [], Msg), Msg}.

publish(Topic, QoS, UserProps) -> publish(Topic, QoS, UserProps, #{}).
publish(Topic, QoS, UserProps, Props) ->
    {Result, Msg} = published(Topic, QoS, #{proto_ver => 5, username => <<"u">>, peerhost => {192, 0, 2, 7}, properties => Props#{'User-Property' => UserProps}}),
    ?assertEqual(false, emqx_message:get_header(allow_publish, Result, true)),
    PacketId = erlang:unique_integer([positive]),
    case QoS of
        0 ->
            blocked;
        1 ->
            case emqx_hooks:run_fold('message.puback', [PacketId, Msg, []], 16#10) of
                undefined -> PacketId;
                Code -> Code
            end
    end.

answer(PacketId) ->
    receive
        {puback, PacketId, [], Code} -> Code
    after ?TIMEOUT -> no_answer
    end.

none(PacketId) ->
    receive
        {puback, PacketId, _, Code} -> ?assertEqual(none, Code)
    after 20 -> ok
    end.

%%--------------------------------------------------------------------
%% Receivers: a process that keeps what it is given, and runs what it is told to
%%--------------------------------------------------------------------

receiver(ClientId) -> receiver(ClientId, #{}).
receiver(ClientId, Info) ->
    Pid = spawn(fun() -> channel(queue:new()) end),
    emqx_cm:put_channel(
        ClientId, Pid, maps:merge(#{conn_state => connected, clientinfo => #{clientid => ClientId}, conninfo => #{proto_ver => 5}}, Info)
    ),
    Pid.

channel(Queue) ->
    receive
        {deliver, Filter, Msg} ->
            channel(queue:in({Filter, Msg}, Queue));
        {get, From, Ref} ->
            case queue:out(Queue) of
                {{value, Item}, Rest} -> From ! {Ref, Item}, channel(Rest);
                {empty, _} -> From ! {Ref, none}, channel(Queue)
            end;
        {run, Fun, From, Ref} ->
            From ! {Ref, Fun()},
            channel(Queue)
    end.

ask(Pid, Request) ->
    Ref = make_ref(),
    Pid ! erlang:append_element(erlang:append_element(Request, self()), Ref),
    receive {Ref, Answer} -> Answer after ?TIMEOUT -> error(no_channel) end.

maybe_got(Dev) -> maybe_got(Dev, 40).
maybe_got(_, 0) -> none;
maybe_got(Dev, N) ->
    case ask(Dev, {get}) of
        none -> timer:sleep(5), maybe_got(Dev, N - 1);
        Item -> Item
    end.

got(Dev) ->
    Item = maybe_got(Dev),
    ?assertNotEqual(none, Item),
    Item.

nothing(Dev) ->
    timer:sleep(30),
    case ask(Dev, {get}) of
        none -> [];
        Item -> [Item]
    end.

in(Dev, Fun) -> ask(Dev, {run, Fun}).
ack(Dev, Msg) -> in(Dev, fun() -> emqx_hooks:run('message.acked', [#{}, Msg]) end).
delivered(Dev, Msg) -> in(Dev, fun() -> emqx_hooks:run_fold('message.delivered', [#{}], Msg) end).

expires(Msg) ->
    #{timestamp := Timestamp, headers := #{properties := #{'Message-Expiry-Interval' := Seconds}}} = emqx_message:to_map(Msg),
    Timestamp + Seconds * 1000.

%%--------------------------------------------------------------------
%% The provider: a callback at ExHook's place
%%--------------------------------------------------------------------

provide(Decision) ->
    persistent_term:put(?MODULE, {self(), Decision}),
    emqx_hooks:put('client.authorize', {?MODULE, provider, []}, 100).

provider(ClientInfo, Action, Topic, _Default) ->
    {Test, Decision} = persistent_term:get(?MODULE),
    Test ! {asked, {maps:get(clientid, ClientInfo), Action, Topic}},
    case Decision of
        {after_ms, Delay, Result} ->
            timer:sleep(Delay),
            {stop, #{result => Result, from => exhook}};
        Result ->
            {stop, #{result => Result, from => exhook}}
    end.

asked() ->
    receive {asked, A} -> [A | asked()] after 20 -> [] end.

authorize(ClientInfo, Action, Topic) ->
    #{result := Result} = emqx_hooks:run_fold('client.authorize', [ClientInfo, Action, Topic], #{result => allow, from => default}),
    Result.

%% The next call of ExHook, and the reports in it. Their texts have no braces in them.
reports() ->
    receive
        {report, Msg, direct_message_outcomes} -> {Msg, reports_in(Msg)}
    after ?TIMEOUT -> error(no_report)
    end.

received_reports() ->
    receive
        {report, Msg, direct_message_outcomes} -> [reports_in(Msg) | received_reports()]
    after 0 -> []
    end.

reports_in(Msg) ->
    Payload = emqx_message:payload(Msg),
    ?assertEqual({$[, $]}, {binary:first(Payload), binary:last(Payload)}),
    {match, Found} = re:run(Payload, "\\{[^{}]*\\}", [global, {capture, first, binary}]),
    lists:append(Found).

sent(N) -> wait(fun() -> emqx_metrics:read('tightbeam.report.sent') =:= N end).

topic_of(Report) ->
    {match, [Topic]} = re:run(Report, "\"topic\":\"([^\"]*)\"", [{capture, all_but_first, binary}]),
    Topic.

qos_of(Report) ->
    case re:run(Report, "\"qos\":([0-9])", [{capture, all_but_first, binary}]) of
        {match, [QoS]} -> binary_to_integer(QoS);
        nomatch -> nomatch
    end.

refs() -> [element(2, E) || E <- ets:tab2list(tightbeam_pending)].

printed() ->
    receive {printed, L} -> [L | printed()] after 0 -> [] end.

wait(Fun) -> wait(Fun, 200).
wait(_, 0) -> error(waited_in_vain);
wait(Fun, N) ->
    case Fun() of
        true -> ok;
        false -> timer:sleep(10), wait(Fun, N - 1)
    end.

flush() ->
    receive _ -> flush() after 0 -> ok end.
