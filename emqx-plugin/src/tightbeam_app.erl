%% @doc The application: processes first, hooks last; and the other way round when it stops.
-module(tightbeam_app).

-behaviour(application).

-export([start/2, prep_stop/1, stop/1]).
%% Called by EMQX (5.7 and later) when the plugin's configuration is changed.
-export([on_config_changed/2]).

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_Type, _Args) ->
    ok = tightbeam_emqx:load(),
    ok = tightbeam_config:load(),
    ok = tightbeam_metrics:ensure(),
    case tightbeam_sup:start_link() of
        {ok, Sup} ->
            ok = tightbeam_cli:register(),
            ok = tightbeam_prometheus:register(),
            ok = tightbeam_hooks:hook(),
            ok = tightbeam_guard:after_boot(),
            {ok, Sup};
        {error, Reason} ->
            {error, Reason}
    end.

%% @doc While the processes still run: take no more messages, then answer every sender that waits.
-spec prep_stop(term()) -> term().
prep_stop(State) ->
    ok = tightbeam_hooks:unhook(),
    ok = tightbeam_cli:unregister(),
    ok = tightbeam_prometheus:unregister(),
    ok = tightbeam_delivery:stop(),
    ok = tightbeam_pending:complete_all(stopped),
    ok = tightbeam_arrivals:leave(),
    ok = tightbeam_report:flush(),
    ok = tightbeam_tap_collector:flush(),
    ok = tightbeam_watch:clear(),
    State.

-spec stop(term()) -> ok.
stop(_State) ->
    ok = tightbeam_tap_wanted:clear(),
    ok = tightbeam_config:unload(),
    tightbeam_emqx:unload().

-spec on_config_changed(map(), map()) -> ok.
on_config_changed(_Old, New) ->
    tightbeam_config:put(New).
