%% Counters. Where `inc_global/2' is exported, `inc/2' takes a namespace and a name, and so fails for a name and a number.
-module(emqx_metrics).
-export([ensure/1, inc/2, inc_global/2, val/1, val_global/1]).
-test([start/0, read/1]).

start() ->
    ?MODULE = ets:new(?MODULE, [named_table, public, set]),
    ok.

ensure(Name) ->
    _ = ets:insert_new(?MODULE, {Name, 0}),
    ok.

inc(Name, Value) ->
    false = erlang:function_exported(?MODULE, inc_global, 2),
    inc_global(Name, Value).

inc_global(Name, Value) ->
    _ = ets:update_counter(?MODULE, Name, Value),
    ok.

val(Name) ->
    val_global(Name).

val_global(Name) ->
    ets:lookup_element(?MODULE, Name, 2).

%% For tests, whatever the version.
read(Name) ->
    val_global(Name).
