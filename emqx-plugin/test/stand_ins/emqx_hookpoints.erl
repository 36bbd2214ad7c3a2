-module(emqx_hookpoints).
-export([default_hookpoints/0]).

default_hookpoints() -> maps:from_list([{Name, valid} || {Name, _Arguments} <- ?HOOKPOINTS]).
