%% Tells the test what the provider is asked, and answers as it was told to.
-module(emqx_exhook_server).
-export([call/3, failed_action/1]).
-test([set/2]).

%% `ignore': the provider has not registered the hook.
set(Pid, Answer) -> persistent_term:put(?MODULE, {Pid, Answer}).

call(Hook, Request, #{name := Name}) ->
    {Pid, Answer} = persistent_term:get(?MODULE, {undefined, ignore}),
    is_pid(Pid) andalso (Pid ! {asked_provider, Name, Hook, Request}),
    case Answer of
        _ when is_function(Answer) -> Answer(Request);
        _ -> Answer
    end.

failed_action(#{failed_action := Action}) -> Action.
