%% Counts the calls of one server; the handler's stand-in tells it how they ended.
-module(emqx_exhook_metrics).
-export([server_metrics/1]).
-test([reset/0, count/1]).

reset() -> persistent_term:put(?MODULE, counters:new(2, [])).
count(succeed) -> counters:add(persistent_term:get(?MODULE), 1, 1);
count(failed) -> counters:add(persistent_term:get(?MODULE), 2, 1).

server_metrics(_Name) ->
    Counters = persistent_term:get(?MODULE),
    #{succeed => counters:get(Counters, 1), failed => counters:get(Counters, 2), rate => 0, max_rate => 0}.
