-module(prometheus_registry).
-export([register_collector/2, deregister_collector/2, collectors/1]).

collectors(Registry) -> persistent_term:get({?MODULE, Registry}, []).
register_collector(Registry, C) -> persistent_term:put({?MODULE, Registry}, lists:usort([C | collectors(Registry)])).
deregister_collector(Registry, C) -> persistent_term:put({?MODULE, Registry}, collectors(Registry) -- [C]).
