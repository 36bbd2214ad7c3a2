-module(prometheus_model_helpers).
-export([create_mf/4]).
create_mf(Name, _Help, Type, Value) -> {Name, Type, Value}.
