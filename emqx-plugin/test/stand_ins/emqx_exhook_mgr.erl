-module(emqx_exhook_mgr).
-export([running/0, server/1, service/1]).
-test([set_running/1, set_failed_action/1]).
set_running(Names) -> persistent_term:put(?MODULE, Names).
set_failed_action(Action) -> persistent_term:put({?MODULE, failed_action}, Action).
running() -> persistent_term:get(?MODULE, []).
server(Name) -> #{name => Name, failed_action => persistent_term:get({?MODULE, failed_action}, deny)}.
service(Name) -> server(Name).
