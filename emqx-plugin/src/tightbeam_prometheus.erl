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
    %% Made first, so that a failure here costs our counters alone. What the callback does is EMQX's.
    lists:foreach(Callback, families());
collect_mf(_Registry, _Callback) ->
    ok.

families() ->
    try
        [
            prometheus_model_helpers:create_mf(exported(Name), <<"Tightbeam plugin">>, counter, Value)
         || {Name, Value} <- tightbeam_metrics:values()
        ]
    catch
        Class:Reason ->
            tightbeam_metrics:unreadable(prometheus, Class, Reason),
            []
    end.

-spec deregister_cleanup(atom()) -> ok.
deregister_cleanup(_Registry) ->
    ok.

exported(Name) ->
    <<"emqx_", (binary:replace(atom_to_binary(Name), <<".">>, <<"_">>, [global]))/binary>>.
