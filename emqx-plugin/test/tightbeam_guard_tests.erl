%% What is denied when nobody decides, and the alarm about it.
-module(tightbeam_guard_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [authorize/3, provide/1, wait/1]).

-export([crash/4, see/2]).

-define(TIMEOUT, 2000).
-define(ALARM, tightbeam_no_hook_provider).
-define(DEFAULT, {ok, #{is_superuser => false}}).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"the guard denies what nobody decided", fun guard/0},
        {"a callback of ExHook that crashes leaves the last word to the guard", fun last_word/0},
        {"the plugin takes a direct message before whatever EMQX itself puts first", fun first_word/0},
        {"a service that is disabled by hand is not absent: the guard closes, with an alarm", fun disabled/0},
        {"a service that dies is named without a client, and when it is back the alarm ends", fun dies_quietly/0},
        {"a service that dies under traffic that EMQX refuses by itself is named", fun dies_under_load/0},
        {"a service that EMQX has not reached is named", fun unloaded/0},
        {"who got in before the guard at boot has to come back", fun guard_after_boot/0}
    ]).

connect() -> emqx_hooks:run_fold('client.authenticate', [#{clientid => <<"c">>}], ?DEFAULT).
publish() -> authorize(#{clientid => <<"c">>}, #{action_type => publish, qos => 0}, <<"a">>).
register_service(Enable) -> emqx:set_config([exhook, servers], [#{name => <<"tightbeam">>, enable => Enable}]).

check() ->
    tightbeam_watch ! check,
    tightbeam_watch:status().

wait_for(Cause) ->
    wait(fun() -> check() =:= Cause andalso emqx_alarm:is_active(?ALARM) =:= (Cause =/= none) end).

guard() ->
    ?assertEqual({?DEFAULT, allow}, {connect(), publish()}),
    tightbeam_config:put(#{guard => auto}),
    ?assertEqual({?DEFAULT, allow}, {connect(), publish()}),
    register_service(true),
    ?assertEqual({{error, not_authorized}, deny}, {connect(), publish()}),
    wait(fun() -> emqx_alarm:is_active(?ALARM) end),
    %% A provider that answers ends the chain before the guard.
    provide(allow),
    ?assertEqual(allow, publish()),
    tightbeam_config:put(#{guard => auto, guard_authenticate => false}),
    ?assertEqual(?DEFAULT, connect()),
    ok = emqx_hooks:del('client.authorize', {tightbeam_channels, provider}),
    emqx:set_config([exhook, servers], [#{name => <<"another">>, enable => true}]),
    ?assertEqual(allow, publish()),
    ok = tightbeam_watch:clear(),
    ?assertNot(emqx_alarm:is_active(?ALARM)).

%% EMQX catches the crash and goes on with what was decided so far, which may be `allow'.
last_word() ->
    tightbeam_config:put(#{guard => auto}),
    register_service(true),
    emqx_hooks:put('client.authorize', {?MODULE, crash, []}, 100),
    ?assertEqual(deny, publish()),
    [?assertEqual(tightbeam_guard, module(lists:last(emqx_hooks:lookup(Point)))) || Point <- ['client.authorize', 'client.authenticate']].

crash(_ClientInfo, _Action, _Topic, _Default) -> error(reloading).

module(Callback) ->
    {Module, _, _} = emqx_hooks:callback_action(Callback),
    Module.

first_word() ->
    emqx_hooks:put('message.publish', {?MODULE, see, [self()]}, 1000),
    _ = tightbeam_channels:publish(<<"$dm/nobody/t">>, 1, []),
    ?assertEqual(none, receive {seen, Topic} -> Topic after 20 -> none end),
    [?assertNotEqual(?MODULE, module(hd(emqx_hooks:lookup(Point)))) || Point <- ['message.publish']].

see(Msg, Test) ->
    Test ! {seen, emqx_message:topic(Msg)},
    ok.

disabled() ->
    tightbeam_config:put(#{guard => auto}),
    register_service(false),
    ?assertEqual({{error, not_authorized}, deny}, {connect(), publish()}),
    wait_for(disabled),
    ok = tightbeam_cli:cli(["status"]),
    ?assert(lists:any(fun(L) -> string:find(L, "disabled by hand") =/= nomatch end, tightbeam_channels:printed())),
    tightbeam_config:put(#{guard => off}),
    ?assertEqual({?DEFAULT, allow}, {connect(), publish()}),
    emqx:set_config([exhook, servers], []),
    %% The denials are too near for the alarm to end, and the cause is another.
    wait_for(denied).

dies_quietly() ->
    register_service(true),
    ?assertEqual(none, check()),
    emqx_exhook_handler:fail(true),
    wait_for(unanswered),
    emqx_exhook_handler:fail(false),
    wait_for(none).

dies_under_load() ->
    register_service(true),
    wait(fun() -> _ = check(), #{succeed := N} = emqx_exhook_metrics:server_metrics(<<"tightbeam">>), N > 0 end),
    emqx_exhook_handler:fail(true),
    [emqx_exhook_metrics:count(failed) || _ <- lists:seq(1, 10)],
    wait_for(unanswered),
    %% Some fail and some do not: it is there.
    [emqx_exhook_metrics:count(How) || How <- [failed, succeed]],
    emqx_exhook_handler:fail(false),
    wait_for(none).

unloaded() ->
    register_service(true),
    emqx_exhook_mgr:set_running([]),
    wait_for(unloaded),
    emqx_exhook_mgr:set_running([<<"tightbeam">>]),
    wait_for(none).

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
    ok = tightbeam_guard:disconnect_earlier(Now),
    receive {disconnect, _, _, _} -> ?assert(false) after 20 -> ok end.
