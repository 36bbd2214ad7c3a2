-module(tightbeam_config_tests).
-include_lib("eunit/include/eunit.hrl").

nothing_set_gives_the_defaults_test() ->
    ?assertEqual({tightbeam_config:defaults(), []}, tightbeam_config:parse(#{})).

emqx_gives_binary_keys_and_values_test() ->
    {Config, []} = tightbeam_config:parse(#{
        <<"guard">> => <<"deny">>, <<"report">> => false, <<"max_pending">> => 5, <<"service_username">> => <<"svc">>
    }),
    ?assertMatch(#{guard := deny, report := false, max_pending := 5, service_username := <<"svc">>}, Config).

a_bad_value_is_named_and_gets_the_default_test() ->
    {Config, Bad} = tightbeam_config:parse(#{<<"guard">> => <<"maybe">>, <<"max_pending">> => 0}),
    ?assertMatch(#{guard := auto, max_pending := 100000}, Config),
    ?assertEqual([{guard, <<"maybe">>}, {max_pending, 0}], lists:sort(Bad)).

the_shipped_configuration_is_the_default_test() ->
    {ok, Text} = file:read_file("priv/config.hocon"),
    Pairs = [binary:split(Line, <<" = ">>) || Line <- binary:split(Text, <<"\n">>, [global, trim_all])],
    Settings = maps:from_list([{K, literal(V)} || [K, V] <- Pairs]),
    ?assertEqual({tightbeam_config:defaults(), []}, tightbeam_config:parse(Settings)),
    ?assertEqual(map_size(tightbeam_config:defaults()), map_size(Settings)).

literal(<<"true">>) -> true;
literal(<<"false">>) -> false;
literal(<<"\"", _/binary>> = V) -> binary:part(V, 1, byte_size(V) - 2);
literal(V) -> binary_to_integer(V).
