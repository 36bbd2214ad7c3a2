%% @doc Counters in EMQX's own registry (`emqx_metrics'), where the dashboard, the REST API and
%% `emqx ctl metrics' find them.
-module(tightbeam_metrics).

-export([ensure/0, inc/1, inc/2, names/0, values/0]).

-spec names() -> [atom()].
names() ->
    [
        'tightbeam.direct.received',
        'tightbeam.direct.refused',
        'tightbeam.direct.not_from_client',
        'tightbeam.direct.sender_gone',
        'tightbeam.authz.asked',
        'tightbeam.authz.cached',
        'tightbeam.guard.denied',
        'tightbeam.report.sent',
        'tightbeam.report.dropped'
    ] ++ [tightbeam_outcome:counter(O) || {O, _, _} <- tightbeam_outcome:all()].

-spec ensure() -> ok.
ensure() ->
    lists:foreach(fun(Name) -> ok = emqx_metrics:ensure(Name) end, names()).

%% @doc Never the reason that a message fails: EMQX empties the registry when it joins a cluster.
-spec inc(atom()) -> ok.
inc(Name) ->
    inc(Name, 1).

-spec inc(atom(), pos_integer()) -> ok.
inc(Name, Value) ->
    try
        emqx_metrics:inc(Name, Value)
    catch
        _:_ -> ok
    end.

-spec values() -> [{atom(), non_neg_integer()}].
values() ->
    [{Name, emqx_metrics:val(Name)} || Name <- names()].
