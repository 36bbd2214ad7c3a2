-module(emqx_ctl).
-export([register_command/3, unregister_command/1, print/2, usage/1]).
register_command(_, _, _) -> ok.
unregister_command(_) -> ok.
print(Format, Args) -> self() ! {printed, lists:flatten(io_lib:format(Format, Args))}.
usage(_) -> ok.
