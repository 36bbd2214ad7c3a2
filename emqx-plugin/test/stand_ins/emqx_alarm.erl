-module(emqx_alarm).
-export([activate/3, deactivate/1]).
-test([is_active/1]).
activate(Name, _Details, _Message) -> persistent_term:put({?MODULE, Name}, true).
deactivate(Name) -> persistent_term:put({?MODULE, Name}, false).
is_active(Name) -> persistent_term:get({?MODULE, Name}, false).
