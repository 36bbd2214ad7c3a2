%% Sends what it is told to the test that asked for it; can be made slow.
-module(emqx_exhook_handler).
-export([on_message_dropped/3]).
-test([set/2]).

set(Pid, Delay) -> persistent_term:put(?MODULE, {Pid, Delay}).

on_message_dropped(Msg, _Context, Reason) ->
    {Pid, Delay} = persistent_term:get(?MODULE, {undefined, 0}),
    timer:sleep(Delay),
    is_pid(Pid) andalso (Pid ! {report, Msg, Reason}),
    ok.
