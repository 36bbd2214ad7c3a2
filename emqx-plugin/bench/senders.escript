#!/usr/bin/env escript
%% What the death of a sender costs while others wait (senders.sh). Ten senders a step die with ten messages open each;
%% the rest belongs to one that lives on.
-mode(compile).

main([Ebin, StandIns]) ->
    true = code:add_patha(Ebin),
    true = code:add_patha(StandIns),
    emqx_cm:start(),
    emqx_hooks:start(),
    emqx_metrics:start(),
    emqx_exhook_metrics:reset(),
    logger:set_primary_config(level, none),
    {ok, _} = application:ensure_all_started(tightbeam),
    tightbeam_config:put(#{guard => off, max_pending => 1000000}),
    io:format("~10s  ~s~n", ["pending", "us until the 10 of a sender that died are gone"]),
    [step(N) || N <- [1000, 10000, 100000]],
    ok.

step(N) ->
    _ = sender(N - tightbeam_pending:count()),
    Times = lists:sort([death() || _ <- lists:seq(1, 10)]),
    io:format("~10b  ~b (median of 10)~n", [N, lists:nth(5, Times)]).

death() ->
    Before = tightbeam_pending:count(),
    Sender = sender(10),
    {Micros, ok} = timer:tc(fun() -> exit(Sender, kill), until(Before) end),
    Micros.

until(Count) ->
    case tightbeam_pending:count() of
        Count -> ok;
        _ -> until(Count)
    end.

sender(Messages) ->
    Test = self(),
    Pid = spawn(fun() ->
        [{ok, _} = tightbeam_pending:open(entry()) || _ <- lists:seq(1, Messages)],
        Test ! open,
        receive stop -> ok end
    end),
    receive open -> Pid end.

entry() ->
    #{clientid => <<"sender">>, packet_id => 1, timeout => 15000, is_service => false, report => undefined}.
