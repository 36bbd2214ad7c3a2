-module(emqx_exhook_mgr).
-export([running/0]).
-test([set_running/1]).
set_running(Names) -> persistent_term:put(?MODULE, Names).
running() -> persistent_term:get(?MODULE, []).
