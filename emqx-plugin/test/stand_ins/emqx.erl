-module(emqx).
-export([get_config/2]).
-test([set_config/2]).

set_config(Path, Value) -> persistent_term:put({?MODULE, Path}, Value).
get_config(Path, Default) -> persistent_term:get({?MODULE, Path}, Default).
