%% A request is answered by what its device publishes.
-module(tightbeam_answers_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [
    ack/2, ack/4, answer/1, disconnect/2, got/1, in/2, none/1, nothing/1, outcome/1, publish/5, puback/1, receiver/1, receiver/2, receiver/3, wait/1
]).

-define(TOPIC, <<"$dm/d/t">>).
-define(ANSWERS, <<"answers/d">>).
-define(ONE, <<"one">>).
-define(TWO, <<"two">>).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"the answer is the device's PUBLISH with the Correlation Data, which goes on", fun answered/0},
        {"an answer may come before the acknowledgement", fun before_puback/0},
        {"an answer before the request is written is none", fun too_early/0},
        {"others, other topics and other Correlation Data are no answers", fun no_answers/0},
        {"several requests are told apart", fun told_apart/0},
        {"without Correlation Data a single request is answered", fun bare/0},
        {"without Correlation Data several are not, and from then on one waits at a time", fun ambiguous/0},
        {"of requests to an MQTT 3.1.1 device one waits at a time", fun old_protocol/0},
        {"a device that acknowledges and is silent has the request", fun silent/0},
        {"a device that refuses a request has answered", fun rejected/0},
        {"an answer over the limit of a payload is too large", fun too_large/0},
        {"a repeat gets the same answer", fun repeated/0},
        {"a repeat joins, and both get the answer", fun joins/0},
        {"a repeat waits for the answer of a silent device, and the device is sent nothing", fun waits/0},
        {"an answer that came when nobody waited is kept", fun late/0},
        {"an acknowledged request outlives the connection of its device", fun reconnected/0},
        {"the wait moves to another node with its client ID", fun moves/0},
        {"a device with a mountpoint answers on its own topic", fun mounted/0},
        {"only the service can ask", fun only_service/0},
        {"a request needs Correlation Data, QoS 1 and a topic that is not reserved", fun malformed/0},
        {"answers that are kept are bounded for each principal", fun bounded/0}
    ]).

ask() -> ask(?ONE, []).
ask(Correlation, UserProps) -> ask(Correlation, UserProps, <<"tightbeam">>).
ask(Correlation, UserProps, Username) -> ask(Correlation, UserProps, Username, ?ANSWERS).
ask(Correlation, UserProps, Username, ResponseTopic) ->
    Props = #{'Response-Topic' => ResponseTopic, 'Correlation-Data' => Correlation},
    publish(?TOPIC, 1, [{<<"dm-request">>, <<"1">>}, {<<"dm-principal">>, <<"alice">>} | UserProps], Props, Username).

%% What the device publishes, as EMQX's channel would.
says(Dev, Payload, Props) -> says(Dev, <<"d">>, ?ANSWERS, Payload, Props).
says(Dev, ClientId, Topic, Payload, Props) ->
    Msg = emqx_message:make(ClientId, 0, Topic, Payload, #{}, #{proto_ver => 5, username => ClientId, properties => Props}),
    in(Dev, fun() -> ?assertEqual(Msg, emqx_hooks:run_fold('message.publish', [], Msg)) end).

correlated(Correlation) -> #{'Correlation-Data' => Correlation}.

told(Payload) ->
    <<"{\"reason\":\"ANSWERED\",\"written\":\"yes\",\"response\":{\"topic\":\"answers/d\",\"payload\":\"", (base64:encode(Payload))/binary, "\"}}">>.

answered() ->
    Dev = receiver(<<"d">>),
    P = ask(),
    {_, Msg} = got(Dev),
    ?assertMatch(#{'Response-Topic' := ?ANSWERS, 'Correlation-Data' := ?ONE}, emqx_message:get_header(properties, Msg, #{})),
    ok = ack(Dev, Msg),
    none(P),
    says(Dev, <<"open">>, (correlated(?ONE))#{'Content-Type' => <<"text/plain">>, 'User-Property' => [{<<"a">>, <<"1">>}, {<<"a">>, <<"2">>}]}),
    ?assertEqual(0, answer(P)),
    ?assertEqual(
        <<"{\"reason\":\"ANSWERED\",\"written\":\"yes\",\"response\":{\"topic\":\"answers/d\",\"payload\":\"b3Blbg==\",\"contentType\":\"text/plain\",\"userProperties\":[[\"a\",\"1\"],[\"a\",\"2\"]]}}">>,
        outcome(P)
    ),
    ?assertEqual(0, tightbeam_answers:count()),
    ?assertEqual(0, tightbeam_inflight:count()),
    ?assertEqual(0, emqx_metrics:read('tightbeam.direct.pubrec')),
    ?assertEqual(1, emqx_metrics:read('tightbeam.direct.answered')).

before_puback() ->
    Dev = receiver(<<"d">>),
    P = ask(),
    {_, Msg} = got(Dev),
    says(Dev, <<"open">>, correlated(?ONE)),
    ?assertEqual(0, answer(P)),
    ?assertEqual(told(<<"open">>), outcome(P)),
    ok = ack(Dev, Msg),
    none(P),
    ?assertEqual(0, emqx_metrics:read('tightbeam.direct.delivered')).

too_early() ->
    Dev = receiver(<<"d">>, #{}, 1),
    First = tightbeam_channels:service(?TOPIC, <<"alice">>, <<"x">>, []),
    {_, Msg} = got(Dev),
    P = ask(),
    wait(fun() -> tightbeam_waiting:count() =:= 1 end),
    says(Dev, <<"early">>, correlated(?ONE)),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(First)),
    _ = got(Dev),
    none(P),
    says(Dev, <<"open">>, correlated(?ONE)),
    ?assertEqual(0, answer(P)),
    ?assertEqual(told(<<"open">>), outcome(P)).

no_answers() ->
    Dev = receiver(<<"d">>),
    Other = receiver(<<"other">>),
    P = ask(),
    _ = got(Dev),
    says(Other, <<"other">>, ?ANSWERS, <<"forged">>, correlated(?ONE)),
    %% Another client's name on a message of another process.
    says(Other, <<"d">>, ?ANSWERS, <<"forged">>, correlated(?ONE)),
    says(Dev, <<"d">>, <<"answers/e">>, <<"elsewhere">>, correlated(?ONE)),
    says(Dev, <<"late">>, correlated(?TWO)),
    %% A will has no protocol version: it is no PUBLISH.
    Will = emqx_message:make(<<"d">>, 0, ?ANSWERS, <<"will">>, #{}, #{username => <<"d">>, properties => correlated(?ONE)}),
    in(Dev, fun() -> emqx_hooks:run_fold('message.publish', [], Will) end),
    none(P),
    says(Dev, <<"true">>, correlated(?ONE)),
    ?assertEqual(0, answer(P)),
    ?assertEqual(told(<<"true">>), outcome(P)).

told_apart() ->
    Dev = receiver(<<"d">>),
    [First, Second] = [ask(C, []) || C <- [?ONE, ?TWO]],
    _ = [got(Dev), got(Dev)],
    says(Dev, <<"2">>, correlated(?TWO)),
    says(Dev, <<"1">>, correlated(?ONE)),
    ?assertEqual({0, told(<<"2">>)}, {answer(Second), outcome(Second)}),
    ?assertEqual({0, told(<<"1">>)}, {answer(First), outcome(First)}).

bare() ->
    Dev = receiver(<<"d">>),
    P = ask(),
    _ = got(Dev),
    says(Dev, <<"open">>, #{}),
    ?assertEqual({0, told(<<"open">>)}, {answer(P), outcome(P)}).

ambiguous() ->
    Dev = receiver(<<"d">>),
    First = ask(?ONE, []),
    Second = ask(?TWO, []),
    _ = [got(Dev), got(Dev)],
    says(Dev, <<"which?">>, #{}),
    none(First),
    none(Second),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(ask(<<"three">>, []))),
    says(Dev, <<"2">>, correlated(?TWO)),
    ?assertEqual(0, answer(Second)),
    says(Dev, <<"1">>, #{}),
    ?assertEqual({0, told(<<"1">>)}, {answer(First), outcome(First)}).

old_protocol() ->
    Dev = receiver(<<"d">>, #{conninfo => #{proto_ver => 4}}),
    First = ask(?ONE, []),
    ?assertEqual({16#97, <<"RECEIVER_THROTTLED">>}, puback(ask(?TWO, []))),
    _ = got(Dev),
    ?assertEqual([], nothing(Dev)),
    says(Dev, <<"open">>, #{}),
    ?assertEqual({0, told(<<"open">>)}, {answer(First), outcome(First)}),
    Third = ask(?TWO, []),
    _ = got(Dev),
    says(Dev, <<"shut">>, #{}),
    ?assertEqual({0, told(<<"shut">>)}, {answer(Third), outcome(Third)}).

silent() ->
    Dev = receiver(<<"d">>),
    P = ask(?ONE, [{<<"dm-timeout-ms">>, <<"1000">>}]),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual({16#80, <<"ACKNOWLEDGED_NOT_ANSWERED">>}, puback(P)),
    ?assertEqual(nothing, outcome(P)),
    %% Nobody can repeat it.
    ?assertEqual(0, tightbeam_answers:count()),
    Unacknowledged = ask(?ONE, [{<<"dm-timeout-ms">>, <<"100">>}]),
    _ = got(Dev),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(Unacknowledged)),
    ?assertEqual(0, tightbeam_answers:count()).

rejected() ->
    case tightbeam_emqx:has_hook_point('client.handle_info') of
        true ->
            Dev = receiver(<<"d">>),
            P = ask(),
            {_, Msg} = got(Dev),
            ok = ack(Dev, Msg, 16#97, #{}),
            ?assertEqual({16#80, <<"RECEIVER_REJECTED">>}, puback(P)),
            ?assertEqual(0, tightbeam_answers:count());
        false ->
            ok
    end.

too_large() ->
    Dev = receiver(<<"d">>),
    P = ask(),
    _ = got(Dev),
    says(Dev, binary:copy(<<"x">>, 131073), correlated(?ONE)),
    ?assertEqual({16#80, <<"RESPONSE_TOO_LARGE">>}, puback(P)).

repeated() ->
    Dev = receiver(<<"d">>),
    First = ask(?ONE, [{<<"dm-id">>, <<"1">>}]),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    says(Dev, <<"open">>, correlated(?ONE)),
    ?assertEqual({0, told(<<"open">>)}, {answer(First), outcome(First)}),
    Second = ask(?ONE, [{<<"dm-id">>, <<"1">>}]),
    ?assertEqual(0, answer(Second)),
    ?assertMatch({match, _}, re:run(outcome(Second), "\"joined\":true,\"response\":.*b3Blbg==")),
    ?assertEqual([], nothing(Dev)).

joins() ->
    Dev = receiver(<<"d">>),
    First = ask(?ONE, [{<<"dm-id">>, <<"1">>}]),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    Second = ask(?ONE, [{<<"dm-id">>, <<"1">>}]),
    none(Second),
    says(Dev, <<"open">>, correlated(?ONE)),
    ?assertEqual([0, 0], [answer(P) || P <- [First, Second]]),
    ?assertMatch({match, _}, re:run(outcome(Second), "ANSWERED.*b3Blbg==")),
    ?assertEqual([], nothing(Dev)).

waits() ->
    Dev = receiver(<<"d">>),
    Short = [{<<"dm-id">>, <<"1">>}, {<<"dm-timeout-ms">>, <<"50">>}],
    First = ask(?ONE, Short),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual({16#80, <<"ACKNOWLEDGED_NOT_ANSWERED">>}, puback(First)),
    Second = ask(?ONE, Short),
    ?assertEqual({16#80, <<"ACKNOWLEDGED_NOT_ANSWERED">>}, puback(Second)),
    Third = ask(?ONE, [{<<"dm-id">>, <<"1">>}]),
    none(Third),
    says(Dev, <<"open">>, correlated(?ONE)),
    ?assertEqual(0, answer(Third)),
    ?assertEqual([], nothing(Dev)).

late() ->
    Dev = receiver(<<"d">>),
    First = ask(?ONE, [{<<"dm-id">>, <<"1">>}, {<<"dm-timeout-ms">>, <<"50">>}]),
    {_, Msg} = got(Dev),
    ?assertEqual({16#80, <<"PUBACK_TIMEOUT">>}, puback(First)),
    ok = ack(Dev, Msg),
    says(Dev, <<"open">>, correlated(?ONE)),
    Second = ask(?ONE, [{<<"dm-id">>, <<"1">>}]),
    ?assertEqual(0, answer(Second)),
    ?assertMatch({match, _}, re:run(outcome(Second), "ANSWERED.*b3Blbg==")),
    ?assertEqual([], nothing(Dev)).

reconnected() ->
    Dev = receiver(<<"d">>),
    P = ask(?ONE, [{<<"dm-id">>, <<"1">>}]),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ok = disconnect(Dev, normal),
    emqx_cm:delete_channel(<<"d">>, Dev),
    Again = receiver(<<"d">>),
    none(P),
    says(Again, <<"back">>, correlated(?ONE)),
    ?assertEqual({0, told(<<"back">>)}, {answer(P), outcome(P)}).

%% The other node is this one: what it would be told comes to the same process.
moves() ->
    Dev = receiver(<<"d">>),
    Key = {self(), make_ref()},
    gen_server:cast(tightbeam_answers, {tightbeam, 1, awaited, #{
        clientid => <<"d">>,
        awaited => [#{key => Key, topic => ?ANSWERS, correlation => ?ONE, identity => undefined, waits => 10000, remaining => 20000}]
    }}),
    wait(fun() -> tightbeam_answers:count() =:= 1 end),
    ?assertMatch(#{state := {acknowledged, _}}, tightbeam_answers:find(Key)),
    says(Dev, <<"open">>, correlated(?ONE)),
    ?assertEqual(0, tightbeam_answers:count()).

mounted() ->
    Info = #{clientinfo => #{clientid => <<"d">>, mountpoint => <<"tenant/">>}, conninfo => #{proto_ver => 5}},
    Dev = receiver(<<"d">>, Info),
    P = ask(),
    _ = got(Dev),
    says(Dev, <<"d">>, <<"tenant/answers/d">>, <<"open">>, correlated(?ONE)),
    ?assertEqual({0, told(<<"open">>)}, {answer(P), outcome(P)}).

only_service() ->
    Dev = receiver(<<"d">>),
    P = ask(?ONE, [], <<"u">>),
    {_, Msg} = got(Dev),
    ?assertEqual(0, tightbeam_answers:count()),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(P)),
    ?assertEqual({16#90, <<"INVALID_PARAMETER">>}, puback(ask(?ONE, [{<<"dm-timeout-ms">>, <<"60000">>}], <<"u">>))),
    Service = ask(?ONE, [{<<"dm-timeout-ms">>, <<"60000">>}]),
    _ = got(Dev),
    none(Service).

malformed() ->
    Dev = receiver(<<"d">>),
    Request = [{<<"dm-request">>, <<"1">>}],
    Full = #{'Response-Topic' => ?ANSWERS, 'Correlation-Data' => ?ONE},
    Send = fun(UserProps, Props) -> puback(publish(?TOPIC, 1, UserProps, Props, <<"tightbeam">>)) end,
    ?assertEqual({16#90, <<"INVALID_PARAMETER">>}, Send(Request, maps:remove('Correlation-Data', Full))),
    ?assertEqual({16#90, <<"INVALID_PARAMETER">>}, Send(Request, maps:remove('Response-Topic', Full))),
    ?assertEqual({16#90, <<"INVALID_PARAMETER">>}, Send([{<<"dm-request">>, <<"2">>}], Full)),
    ?assertEqual({16#90, <<"INVALID_PARAMETER">>}, Send([{<<"dm-qos">>, <<"0">>} | Request], Full)),
    ?assertEqual({16#90, <<"INVALID_PARAMETER">>}, Send([{<<"dm-timeout-ms">>, <<"60001">>} | Request], Full)),
    ?assertEqual({16#90, <<"RESERVED_TOPIC">>}, Send(Request, Full#{'Response-Topic' := <<"$SYS/a">>})),
    ?assertEqual({16#90, <<"INVALID_TOPIC">>}, Send(Request, Full#{'Response-Topic' := <<"a/+">>})),
    ?assertEqual([], nothing(Dev)).

bounded() ->
    Status = {done, answered, #{response => #{topic => ?ANSWERS, payload => binary:copy(<<"x">>, 1000000)}}},
    Kept = [tightbeam_kept:keep({<<"d">>, <<"alice">>, <<"1">>}, Status) || _ <- lists:seq(1, 17)],
    ?assertEqual(lists:duplicate(16, Status), lists:sublist(Kept, 16)),
    ?assertMatch({done, response_too_large, #{}}, lists:last(Kept)),
    ?assertEqual(Status, tightbeam_kept:keep({<<"d">>, <<"bob">>, <<"1">>}, Status)),
    ok = tightbeam_kept:release(<<"alice">>, Status),
    ?assertEqual(Status, tightbeam_kept:keep({<<"d">>, <<"alice">>, <<"1">>}, Status)).
