%% What operators see.
-module(tightbeam_status_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [printed/0]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"Prometheus gets every counter", fun prometheus/0},
        {"a counter that cannot be read costs itself alone", fun unreadable/0},
        {"status", fun status/0}
    ]).

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
