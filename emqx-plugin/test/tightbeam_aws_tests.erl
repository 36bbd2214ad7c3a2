%% What the setting `aws_iot' changes, and that nothing changes without it.
-module(tightbeam_aws_tests).
-include_lib("eunit/include/eunit.hrl").

-define(FILTERS, [{<<"a/b">>, #{qos => 2, rh => 0}}, {<<"a/#">>, #{qos => 1, rh => 0}}, {{share, <<"g">>, <<"a/+">>}, #{qos => 0, rh => 0}}]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"without the setting nothing is changed", fun off/0},
        {"QoS 1 is the most that is granted, and wildcards get no retained messages", fun subscribe/0},
        {"a subscription identifier ends the connection", fun identifier/0},
        {"CONNACK tells AWS's terms of MQTT 5", fun connack/0},
        {"a message expires within AWS's range", fun expiry/0}
    ]).

on() -> tightbeam_config:put(#{guard => off, aws_iot => true}).

off() ->
    ?assertEqual(?FILTERS, subscribed(#{'Subscription-Identifier' => 1})),
    ?assertEqual(#{}, connack(5, 0)),
    ?assertEqual(0, published(0)),
    receive {disconnect, _, _, _} -> ?assert(false) after 0 -> ok end.

subscribe() ->
    on(),
    Changed = [{<<"a/b">>, #{qos => 1, rh => 0}}, {<<"a/#">>, #{qos => 1, rh => 2}}, {{share, <<"g">>, <<"a/+">>}, #{qos => 0, rh => 0}}],
    %% EMQX 5.1 would answer for what it asked about.
    Expected = case tightbeam_emqx:has_hook_point('client.subscribe') of true -> Changed; false -> ?FILTERS end,
    ?assertEqual(Expected, subscribed(#{})).

identifier() ->
    on(),
    _ = subscribed(#{'Subscription-Identifier' => 1}),
    case tightbeam_emqx:has_hook_point('client.subscribe') of
        true -> receive {disconnect, 16#A1, _, _} -> ok after 0 -> ?assert(false) end;
        false -> ok
    end.

connack() ->
    on(),
    Expected = [{0, 1200}, {10, 30}, {1201, 1200}],
    [?assertEqual(#{'Subscription-Identifier-Available' => 0, 'Server-Keep-Alive' => Told}, connack(5, Asked)) || {Asked, Told} <- Expected],
    [?assertEqual(#{'Subscription-Identifier-Available' => 0}, connack(5, Asked)) || Asked <- [30, 600, 1200]],
    ?assertEqual(#{}, connack(4, 0)),
    ?assertEqual(#{}, emqx_hooks:run_fold('client.connack', [#{proto_ver => 5, keepalive => 0}, not_authorized], #{})).

expiry() ->
    on(),
    [?assertEqual(Clamped, published(Asked)) || {Asked, Clamped} <- [{0, 1}, {1, 1}, {604800, 604800}, {604801, 604800}]],
    Plain = emqx_message:make(<<"c">>, 0, <<"a">>, <<>>, #{}, #{}),
    ?assertEqual(Plain, emqx_hooks:run_fold('message.publish', [], Plain)).

subscribed(Props) -> emqx_hooks:run_fold('client.subscribe', [#{clientid => <<"c">>}, Props], ?FILTERS).
connack(Version, Keepalive) -> emqx_hooks:run_fold('client.connack', [#{proto_ver => Version, keepalive => Keepalive}, success], #{}).

published(Expiry) ->
    Msg = emqx_message:make(<<"c">>, 0, <<"a">>, <<>>, #{}, #{properties => #{'Message-Expiry-Interval' => Expiry}}),
    #{'Message-Expiry-Interval' := After} = emqx_message:get_header(properties, emqx_hooks:run_fold('message.publish', [], Msg), #{}),
    After.
