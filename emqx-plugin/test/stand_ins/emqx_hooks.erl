%% Real chains, run as EMQX runs them: highest priority first, {stop, Acc} ends a fold, a crash is no more than `ok'.
-module(emqx_hooks).
-export([put/3, del/2, lookup/1, callback_action/1, run/2, run_fold/3]).
-test([start/0]).

start() ->
    emqx_hooks_stand_in = ets:new(emqx_hooks_stand_in, [named_table, public, bag]),
    ok.

put(Name, Action, Priority) ->
    true = ets:insert(emqx_hooks_stand_in, {Name, Priority, Action}),
    ok.

del(Name, {M, F}) ->
    true = ets:match_delete(emqx_hooks_stand_in, {Name, '_', {M, F, '_'}}),
    ok.

lookup(Name) ->
    lists:reverse(lists:keysort(2, ets:lookup(emqx_hooks_stand_in, Name))).

callback_action({_Name, _Priority, Action}) -> Action.

run(Name, Args) ->
    lists:foreach(fun({_, _, {M, F, A}}) -> safe(M, F, Args ++ A) end, lookup(Name)).

run_fold(Name, Args, Acc) ->
    fold(lookup(Name), Args, Acc).

fold([], _Args, Acc) ->
    Acc;
fold([{_, _, {M, F, A}} | Rest], Args, Acc) ->
    case safe(M, F, Args ++ [Acc | A]) of
        stop -> Acc;
        {stop, New} -> New;
        {ok, New} -> fold(Rest, Args, New);
        _ -> fold(Rest, Args, Acc)
    end.

safe(M, F, Args) ->
    try
        apply(M, F, Args)
    catch
        _:_ -> ok
    end.
