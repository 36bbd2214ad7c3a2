%% Sends what it is told to the test that asked for it; can be made slow, and to fail.
-module(emqx_exhook_handler).
-export([on_message_dropped/3, clientinfo/1, message/1, request_meta/0]).
-test([set/2, fail/1]).

set(Pid, Delay) -> persistent_term:put(?MODULE, {Pid, Delay}).
fail(Fails) -> persistent_term:put({?MODULE, fails}, Fails).

on_message_dropped(Msg, _Context, Reason) ->
    {Pid, Delay} = persistent_term:get(?MODULE, {undefined, 0}),
    timer:sleep(Delay),
    emqx_exhook_metrics:count(case persistent_term:get({?MODULE, fails}, false) of true -> failed; false -> succeed end),
    is_pid(Pid) andalso (Pid ! {report, Msg, Reason}),
    ok.

clientinfo(ClientInfo) -> maps:with([clientid, username, password], ClientInfo).
message(Msg) -> #{topic => emqx_message:topic(Msg), payload => emqx_message:payload(Msg), from => emqx_message:from(Msg)}.
request_meta() -> #{node => atom_to_binary(node())}.
