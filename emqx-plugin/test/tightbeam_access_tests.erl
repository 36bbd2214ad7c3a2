%% Who may send, receive and subscribe.
-module(tightbeam_access_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [disconnect/2, ack/2, answer/1, asked/0, authorize/3, got/1, in/2, nothing/1, provide/1, publish/3, publish/4, receiver/1, receiver/2]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"a receiver that may not receive", fun not_authorized/0},
        {"decisions are cached per connection and topic for the ttl", fun authz_cache/0},
        {"the guard's refusal is not cached", fun guard_not_cached/0},
        {"only the plugin may ask to subscribe under the prefix", fun subscribe/0},
        {"a client with a mountpoint neither sends nor subscribes under the prefix, however it is asked about", fun mounted/0},
        {"decisions are kept within a bound", fun bounded/0},
        {"what a client may not publish is refused before the chain is asked", fun publish_authz/0}
    ]).

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
    disconnect(Dev, normal),
    ?assertEqual(0, tightbeam_authz:count()).

guard_not_cached() ->
    tightbeam_config:put(#{guard => deny}),
    _ = receiver(<<"d">>),
    ?assertEqual(16#87, answer(publish(<<"$dm/d/t">>, 1, []))),
    ?assertEqual(0, tightbeam_authz:count()).

%% 6.1 and later can be told to ask about the mounted topic.
mounted() ->
    Client = #{clientid => <<"c">>, mountpoint => <<"tenant/">>},
    Ask = fun(Type, Topic) -> authorize(Client, #{action_type => Type, qos => 1}, Topic) end,
    [?assertEqual(deny, Ask(Type, Topic)) || Type <- [publish, subscribe], Topic <- [<<"$dm/d/t">>, <<"tenant/$dm/d/t">>]],
    ?assertEqual(deny, Ask(subscribe, {share, <<"g">>, <<"tenant/$dm/#">>})),
    [?assertEqual(allow, Ask(Type, Topic)) || Type <- [publish, subscribe], Topic <- [<<"d/t">>, <<"tenant/d/t">>, <<"other/$dm/d/t">>]].

%% As many as fit are kept; more are asked about each time.
bounded() ->
    Dev = receiver(<<"d">>),
    provide(allow),
    Until = erlang:monotonic_time(millisecond) + 60000,
    ets:insert(tightbeam_authz, [{{self(), N}, true, Until} || N <- lists:seq(1, 200000)]),
    [begin _ = publish(<<"$dm/d/t">>, 1, []), got(Dev) end || _ <- [1, 2]],
    ?assertEqual(2, length(asked())),
    ?assertEqual(200000, tightbeam_authz:count()).

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
