-module(tightbeam_topic_tests).
-include_lib("eunit/include/eunit.hrl").

parse(Topic) -> tightbeam_topic:parse(Topic).

a_plain_client_id_and_a_topic_of_levels_test() ->
    ?assertEqual({ok, #{clientid => <<"dev1">>, topic => <<"a/b/c">>}}, parse(<<"$dm/dev1/a/b/c">>)).

reserved_characters_and_utf8_are_percent_encoded_test() ->
    ?assertEqual(
        {ok, #{clientid => <<"a/b+c#d%e$ é"/utf8>>, topic => <<"t">>}},
        parse(<<"$dm/a%2Fb%2Bc%23d%25e%24%20%C3%a9/t">>)
    ),
    ?assertEqual({ok, #{clientid => <<"é"/utf8>>, topic => <<"t">>}}, parse(<<"$dm/é/t"/utf8>>)).

a_client_id_has_1_to_128_characters_not_bytes_test() ->
    Max = unicode:characters_to_binary(lists:duplicate(128, $é)),
    ?assertMatch({ok, #{clientid := Max}}, parse(<<"$dm/", Max/binary, "/t">>)),
    ?assertEqual({error, invalid_client_id}, parse(<<"$dm/", Max/binary, "x/t">>)),
    ?assertEqual({error, invalid_client_id}, parse(<<"$dm//t">>)).

a_client_id_that_is_no_utf8_or_begins_with_a_dollar_is_invalid_test_() ->
    [
        ?_assertEqual({error, invalid_client_id}, parse(T))
     || T <- [<<"$dm/%24SYS/t">>, <<"$dm/$SYS/t">>, <<"$dm/%ff/t">>, <<"$dm/a%00b/t">>, <<"$dm/%ED%A0%80/t">>]
    ].

a_broken_escape_is_invalid_test_() ->
    [?_assertEqual({error, invalid_client_id}, parse(T)) || T <- [<<"$dm/%/t">>, <<"$dm/%4/t">>, <<"$dm/%zz/t">>]].

a_topic_has_1_to_256_bytes_and_at_most_7_slashes_test() ->
    Max = binary:copy(<<"x">>, 256),
    ?assertMatch({ok, #{topic := Max}}, parse(<<"$dm/d/", Max/binary>>)),
    ?assertEqual({error, invalid_topic}, parse(<<"$dm/d/", Max/binary, "x">>)),
    ?assertMatch({ok, _}, parse(<<"$dm/d/1/2/3/4/5/6/7/8">>)),
    ?assertEqual({error, invalid_topic}, parse(<<"$dm/d/1/2/3/4/5/6/7/8/9">>)).

a_topic_that_is_empty_wild_or_no_utf8_is_invalid_test_() ->
    [
        ?_assertEqual({error, invalid_topic}, parse(T))
     || T <- [<<"$dm/d">>, <<"$dm/d/">>, <<"$dm/d/a/+">>, <<"$dm/d/#">>, <<"$dm/d/", 255>>, <<"$dm/d/a", 0>>]
    ].

a_topic_that_begins_with_a_dollar_is_reserved_test() ->
    ?assertEqual({error, reserved_topic}, parse(<<"$dm/d/$SYS/x">>)).

the_limits_are_those_of_the_configuration_test() ->
    tightbeam_config:put(#{max_client_id_length => 2, max_topic_bytes => 300, max_topic_slashes => 0}),
    ?assertMatch({ok, _}, parse(<<"$dm/dd/", (binary:copy(<<"x">>, 300))/binary>>)),
    ?assertEqual({error, invalid_client_id}, parse(<<"$dm/ddd/t">>)),
    ?assertEqual({error, invalid_topic}, parse(<<"$dm/dd/a/b">>)),
    tightbeam_config:unload().

direct_topics_are_known_also_when_delayed_test() ->
    ?assertEqual(direct, tightbeam_topic:kind(<<"$dm/">>)),
    ?assertEqual(direct, tightbeam_topic:kind(<<"$delayed/5/$dm/d/t">>)),
    ?assertEqual(direct, tightbeam_topic:kind(<<"$delayed/5/$delayed/5/$dm/d/t">>)),
    ?assertEqual(lifecycle, tightbeam_topic:kind(<<"$aws/events/presence/connected/d">>)),
    ?assertEqual(lifecycle, tightbeam_topic:kind(<<"$delayed/5/$aws/events/x">>)),
    ?assertEqual(ordinary, tightbeam_topic:kind(<<"$aws/things/d/shadow/get">>)),
    ?assertEqual(ordinary, tightbeam_topic:kind(<<"$dm">>)),
    ?assertEqual(ordinary, tightbeam_topic:kind(<<"$delayed/5/t/$dm/">>)),
    ?assertEqual(ordinary, tightbeam_topic:kind(<<"a/$dm/d/t">>)).

filters_under_the_prefix_are_reserved_however_they_are_dressed_test_() ->
    [
        ?_assert(tightbeam_topic:is_reserved_filter(F))
     || F <- [
            <<"$dm">>, <<"$dm/#">>, <<"$dm/+/t">>, <<"$share/g/$dm/#">>, <<"$queue/$dm/d/t">>,
            <<"$exclusive/$dm/d">>, <<"$share/g/$exclusive/$dm/d">>, {share, <<"g">>, <<"$dm/#">>}
        ]
    ].

other_filters_are_not_reserved_test_() ->
    [
        ?_assertNot(tightbeam_topic:is_reserved_filter(F))
     || F <- [<<"#">>, <<"+/d/t">>, <<"$SYS/#">>, <<"$share/g/#">>, <<"$share/$dm">>, <<"$dmx/#">>, <<"a/$dm/#">>]
    ].
