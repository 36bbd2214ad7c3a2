-module(emqx_plugins).
-export([get_config/1]).
get_config(_NameVsn) -> {ok, persistent_term:get({?MODULE, config}, #{})}.
