%% @doc Counters in EMQX's own registry (`emqx_metrics'), where the dashboard, the REST API and
%% `emqx ctl metrics' find them.
-module(tightbeam_metrics).

-export([ensure/0, inc/1, inc/2, names/0, values/0, unreadable/0, unreadable/3]).

%% How often EMQX's registry had no value for us: one word in the log for the first.
-define(UNREADABLE, {?MODULE, unreadable}).

-spec names() -> [atom()].
names() ->
    [
        'tightbeam.direct.received',
        'tightbeam.direct.refused',
        'tightbeam.direct.not_from_client',
        'tightbeam.direct.sender_gone',
        'tightbeam.direct.pubrec',
        'tightbeam.identity.joined',
        'tightbeam.identity.repeated',
        'tightbeam.identity.evicted',
        'tightbeam.identity.not_remembered',
        'tightbeam.identity.lost',
        'tightbeam.authz.asked',
        'tightbeam.authz.cached',
        'tightbeam.guard.denied',
        'tightbeam.report.sent',
        'tightbeam.report.dropped',
        'tightbeam.tap.told',
        'tightbeam.tap.missed'
    ] ++ [tightbeam_outcome:counter(O) || {O, _, _} <- tightbeam_outcome:all()].

-spec ensure() -> ok.
ensure() ->
    persistent_term:put(?UNREADABLE, atomics:new(1, [])),
    lists:foreach(fun(Name) -> ok = emqx_metrics:ensure(Name) end, names()).

%% @doc Never the reason that a message fails: EMQX empties the registry when it joins a cluster.
-spec inc(atom()) -> ok.
inc(Name) ->
    inc(Name, 1).

-spec inc(atom(), pos_integer()) -> ok.
inc(Name, Value) ->
    try
        tightbeam_emqx:inc(Name, Value)
    catch
        _:_ -> ok
    end.

%% @doc What there is to read. Called by EMQX's own endpoints, which must not fail for us: what cannot be read is left
%% out, counted and logged once.
-spec values() -> [{atom(), non_neg_integer()}].
values() ->
    lists:append([value(Name) || Name <- names()]).

value(Name) ->
    try
        [{Name, tightbeam_emqx:value(Name)}]
    catch
        Class:Reason ->
            unreadable(Name, Class, Reason),
            []
    end.

%% @doc Counts a failure to tell EMQX of a counter.
-spec unreadable(atom(), atom(), term()) -> ok.
unreadable(Name, Class, Reason) ->
    atomics:add_get(persistent_term:get(?UNREADABLE), 1, 1) =:= 1 andalso
        logger:error(#{msg => "tightbeam_counter_unreadable", counter => Name, class => Class, reason => Reason}),
    ok.

-spec unreadable() -> non_neg_integer().
unreadable() ->
    atomics:get(persistent_term:get(?UNREADABLE), 1).
