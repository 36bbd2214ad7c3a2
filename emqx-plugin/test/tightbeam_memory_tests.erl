%% What is remembered of identities is bounded, and no principal's memory costs another's.
-module(tightbeam_memory_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [ack/2, answer/1, got/1, nothing/1, receiver/1, service/4]).

-define(TOPIC, <<"$dm/d/t">>).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"a principal that has too many loses its own, oldest first", fun bounded/0},
        {"what is under way is never forgotten for another", fun open_stays/0},
        {"an identity is forgotten in time", fun ttl/0}
    ]).

send(Id) -> service(?TOPIC, <<"alice">>, Id, []).

deliver(Principal, Id, Dev) ->
    Packet = service(?TOPIC, Principal, Id, []),
    {_, Msg} = got(Dev),
    ok = ack(Dev, Msg),
    ?assertEqual(0, answer(Packet)).

bounded() ->
    tightbeam_config:put(#{guard => off, identities_max_per_principal => 3, identities_max => 5}),
    Dev = receiver(<<"d">>),
    [deliver(<<"bob">>, Id, Dev) || Id <- [<<"1">>, <<"2">>]],
    [begin deliver(<<"alice">>, Id, Dev), timer:sleep(2) end || Id <- [<<"1">>, <<"2">>, <<"3">>, <<"4">>]],
    ?assertEqual(1, emqx_metrics:read('tightbeam.identity.evicted')),
    [?assertEqual(0, answer(send(Id))) || Id <- [<<"2">>, <<"3">>, <<"4">>]],
    ?assertEqual([], nothing(Dev)),
    %% No room for a third: nobody else loses anything.
    deliver(<<"carol">>, <<"1">>, Dev),
    ?assertEqual(1, emqx_metrics:read('tightbeam.identity.not_remembered')),
    [?assertEqual(0, answer(service(?TOPIC, <<"bob">>, Id, []))) || Id <- [<<"1">>, <<"2">>]],
    %% The oldest of alice's is gone.
    deliver(<<"alice">>, <<"1">>, Dev).

open_stays() ->
    tightbeam_config:put(#{guard => off, identities_max_per_principal => 1}),
    Dev = receiver(<<"d">>),
    First = send(<<"1">>),
    {_, Msg} = got(Dev),
    _ = send(<<"2">>),
    _ = got(Dev),
    Joined = send(<<"1">>),
    ok = ack(Dev, Msg),
    ?assertEqual([0, 0], [answer(P) || P <- [First, Joined]]),
    ?assertEqual([], nothing(Dev)).

ttl() ->
    tightbeam_config:put(#{guard => off, identities_ttl_ms => 1}),
    Dev = receiver(<<"d">>),
    deliver(<<"alice">>, <<"1">>, Dev),
    timer:sleep(5),
    tightbeam_identity ! sweep,
    _ = sys:get_state(tightbeam_identity),
    ?assertEqual({0, []}, {tightbeam_identity:count(), ets:tab2list(tightbeam_principals)}),
    deliver(<<"alice">>, <<"1">>, Dev).
