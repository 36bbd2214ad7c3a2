%% @doc The counters in EMQX's Prometheus endpoint, named as EMQX names its own: EMQX exports a fixed
%% list of its registry there, so the plugin is a collector of its own.
-module(tightbeam_prometheus).

-export([register/0, unregister/0, retry/0]).
%% prometheus_collector; the behaviour is EMQX's dependency and not ours.
-export([collect_mf/2, deregister_cleanup/1]).

-define(REGISTRY, default).
-define(RETRY, 5000).

%% @doc While EMQX boots, plugins start before Prometheus does: tried again until it is there.
-spec register() -> ok.
register() ->
    try
        _ = prometheus_registry:register_collector(?REGISTRY, ?MODULE),
        ok
    catch
        _:_ ->
            {ok, _} = timer:apply_after(?RETRY, ?MODULE, retry, []),
            ok
    end.

-spec retry() -> ok.
retry() ->
    case whereis(tightbeam_sup) of
        undefined -> ok;
        _ -> ?MODULE:register()
    end.

-spec unregister() -> ok.
unregister() ->
    try
        _ = prometheus_registry:deregister_collector(?REGISTRY, ?MODULE),
        ok
    catch
        _:_ -> ok
    end.

-spec collect_mf(atom(), fun((term()) -> term())) -> ok.
collect_mf(?REGISTRY, Callback) ->
    lists:foreach(
        fun({Name, Value}) ->
            Callback(prometheus_model_helpers:create_mf(exported(Name), <<"Tightbeam plugin">>, counter, Value))
        end,
        tightbeam_metrics:values()
    );
collect_mf(_Registry, _Callback) ->
    ok.

-spec deregister_cleanup(atom()) -> ok.
deregister_cleanup(_Registry) ->
    ok.

exported(Name) ->
    <<"emqx_", (binary:replace(atom_to_binary(Name), <<".">>, <<"_">>, [global]))/binary>>.
