-module(tightbeam_request_tests).
-include_lib("eunit/include/eunit.hrl").

msg(QoS, Ver, UserProps) -> msg(QoS, Ver, UserProps, #{}).
msg(QoS, Ver, UserProps, Flags) ->
    emqx_message:make(<<"s">>, QoS, <<"$dm/d/t">>, <<>>, Flags, #{proto_ver => Ver, properties => #{'User-Property' => UserProps}}).

parse(Msg) -> tightbeam_request:parse(Msg).
dm(K, V) -> {<<"dm-", K/binary>>, V}.

defaults_test() ->
    ?assertEqual({ok, #{clientid => <<"d">>, topic => <<"t">>, qos => 1, timeout => 5000, identity => undefined}}, parse(msg(1, 5, []))),
    ?assertMatch({ok, #{qos := 0}}, parse(msg(0, 4, []))).

parameters_test() ->
    ?assertMatch({ok, #{qos := 0, timeout := 15000}}, parse(msg(1, 5, [dm(<<"qos">>, <<"0">>), dm(<<"timeout-ms">>, <<"15000">>)]))),
    ?assertMatch({ok, #{qos := 1, timeout := 1}}, parse(msg(1, 5, [dm(<<"qos">>, <<"1">>), dm(<<"timeout-ms">>, <<"1">>)]))).

a_payload_over_the_limit_is_refused_test() ->
    Of = fun(Size) -> emqx_message:make(<<"s">>, 1, <<"$dm/d/t">>, binary:copy(<<0>>, Size), #{}, #{proto_ver => 5}) end,
    ?assertMatch({ok, _}, parse(Of(131072))),
    ?assertEqual({refuse, {answer, payload_too_large}}, parse(Of(131073))).

bad_parameters_are_answered_test_() ->
    [
        ?_assertEqual({refuse, {answer, invalid_parameter}}, parse(msg(1, 5, Props)))
     || Props <- [
            [dm(<<"timeout-ms">>, V)] || V <- [<<"0">>, <<"15001">>, <<"-1">>, <<"+1">>, <<"000005">>, <<"1.5">>, <<"">>, <<"5s">>, <<"100000000000">>]
        ] ++ [[dm(<<"qos">>, V)] || V <- [<<"2">>, <<"">>, <<"true">>]] ++
            [[dm(<<"qos">>, <<"0">>), dm(<<"qos">>, <<"0">>)]]
    ].

an_identity_has_1_to_128_bytes_of_utf8_test() ->
    Id = fun(V) -> parse(msg(1, 5, [dm(<<"id">>, V)])) end,
    ?assertMatch({ok, #{identity := #{key := {<<"d">>, {clientid, <<"s">>}, <<"1">>}}}}, Id(<<"1">>)),
    ?assertMatch({ok, #{identity := #{}}}, Id(binary:copy(<<"é"/utf8>>, 64))),
    [?assertEqual({refuse, {answer, invalid_parameter}}, Id(V)) || V <- [<<>>, binary:copy(<<"x">>, 129), <<255>>]],
    ?assertEqual({refuse, {answer, invalid_parameter}}, parse(msg(1, 5, [dm(<<"id">>, <<"1">>), dm(<<"id">>, <<"1">>)]))).

the_first_attempts_trace_is_that_of_the_service_or_of_the_sender_test() ->
    Trace = <<"0af7651916cd43dd8448eb211c80319c">>,
    Of = fun(User, Props) ->
        Headers = #{proto_ver => 5, username => User, properties => #{'User-Property' => [dm(<<"id">>, <<"1">>) | Props]}},
        {ok, #{identity := #{trace_id := TraceId}}} = parse(emqx_message:make(<<"s">>, 1, <<"$dm/d/t">>, <<>>, #{}, Headers)),
        TraceId
    end,
    ?assertEqual(Trace, Of(<<"tightbeam">>, [dm(<<"trace-id">>, Trace)])),
    ?assertEqual(<<Trace/binary, "-00f067aa0ba902b7">>, Of(<<"tightbeam">>, [dm(<<"trace-id">>, <<Trace/binary, "-00f067aa0ba902b7">>)])),
    ?assertEqual(undefined, Of(<<"tightbeam">>, [dm(<<"trace-id">>, <<Trace/binary, "-00f067aa0ba902bX">>)])),
    ?assertEqual(undefined, Of(<<"tightbeam">>, [dm(<<"trace-id">>, binary:copy(<<"X">>, 32))])),
    ?assertEqual(undefined, Of(<<"u">>, [dm(<<"trace-id">>, Trace)])),
    ?assertEqual(Trace, Of(<<"u">>, [{<<"traceparent">>, <<"00-", Trace/binary, "-b7ad6b7169203331-01">>}])).

a_long_principal_is_kept_as_a_hash_test() ->
    Headers = #{proto_ver => 5, username => binary:copy(<<"u">>, 200), properties => #{'User-Property' => [dm(<<"id">>, <<"1">>)]}},
    ?assertMatch(
        {ok, #{identity := #{key := {_, {md5, <<_:16/binary>>}, _}}}},
        parse(emqx_message:make(<<"s">>, 1, <<"$dm/d/t">>, <<>>, #{}, Headers))
    ).

what_cannot_be_answered_negatively_closes_the_connection_test() ->
    ?assertEqual({refuse, {close, invalid_parameter}}, parse(msg(1, 4, []))),
    ?assertEqual({refuse, {close, invalid_parameter}}, parse(msg(1, 3, []))),
    ?assertEqual({refuse, {close, invalid_parameter}}, parse(msg(2, 4, []))),
    ?assertEqual({refuse, {close, invalid_parameter}}, parse(msg(2, 5, []))).

retain_is_refused_as_its_qos_allows_test() ->
    ?assertEqual({refuse, {answer, invalid_parameter}}, parse(msg(1, 5, [], #{retain => true}))),
    ?assertEqual({refuse, {silent, invalid_parameter}}, parse(msg(0, 5, [], #{retain => true}))).

only_the_publish_of_the_calling_connection_counts_test_() ->
    {setup, fun() -> emqx_cm:start() end, fun(_) -> ets:delete(emqx_cm_stand_in) end, fun(_) ->
        Own = msg(1, 5, []),
        [
            ?_assertNot(tightbeam_request:is_own_publish(Own)),
            ?_test(begin
                emqx_cm:put_channel(<<"s">>, self(), #{}),
                ?assert(tightbeam_request:is_own_publish(Own)),
                Will = emqx_message:make(<<"s">>, 1, <<"$dm/d/t">>, <<>>, #{}, #{username => <<"u">>, properties => #{}}),
                ?assertNot(tightbeam_request:is_own_publish(Will)),
                ?assertNot(tightbeam_request:is_own_publish(emqx_message:set_header(republish_by, <<"r">>, Own)))
            end)
        ]
    end}.

a_malformed_traceparent_is_left_out_test() ->
    Good = <<"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01">>,
    ?assertEqual(Good, tightbeam_request:traceparent(msg(1, 5, [{<<"traceparent">>, Good}]))),
    ?assertEqual(undefined, tightbeam_request:traceparent(msg(1, 5, [{<<"traceparent">>, <<"\"}">>}]))),
    ?assertEqual(undefined, tightbeam_request:traceparent(msg(1, 5, [{<<"traceparent">>, Good}, {<<"traceparent">>, Good}]))).
