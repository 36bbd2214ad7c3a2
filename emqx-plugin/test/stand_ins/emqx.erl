-module(emqx).
-export([get_config/2, publish/1]).
-test([set_config/2]).

set_config(Path, Value) -> persistent_term:put({?MODULE, Path}, Value).
get_config(Path, Default) -> persistent_term:get({?MODULE, Path}, Default).

%% What is not stopped comes to the process that publishes.
publish(Msg) ->
    case emqx_message:get_header(allow_publish, emqx_hooks:run_fold('message.publish', [], Msg), true) of
        true -> self() ! {routed, Msg};
        false -> ok
    end,
    [].
