%% @doc Topic filters (MQTT 5, section 4.7), taken apart once.
-module(tightbeam_tap_filter).

-export([compile/1, matches/2, matches_any/2]).

-export_type([filter/0]).

-type filter() :: [binary() | plus | rest].

-spec compile(binary()) -> filter().
compile(Filter) ->
    [level(Level) || Level <- binary:split(Filter, <<"/">>, [global])].

level(<<"+">>) -> plus;
level(<<"#">>) -> rest;
level(Level) -> Level.

-spec matches_any(binary(), [filter()]) -> boolean().
matches_any(_Topic, []) -> false;
matches_any(Topic, [Filter | Filters]) -> matches(Topic, Filter) orelse matches_any(Topic, Filters).

%% @doc A wildcard at the start does not stand for `$...' (section 4.7.2).
-spec matches(binary(), filter()) -> boolean().
matches(<<"$", _/binary>>, [Wildcard | _]) when is_atom(Wildcard) -> false;
matches(_Topic, [rest]) -> true;
matches(Topic, Filter) -> levels(Topic, Filter).

%% What is left of the topic begins with a level.
levels(_Topic, [rest]) ->
    true;
levels(Topic, [plus | Filter]) ->
    next(after_level(Topic), Filter);
levels(Topic, [Level | Filter]) ->
    Size = byte_size(Level),
    case Topic of
        Level -> next(none, Filter);
        <<Level:Size/binary, $/, More/binary>> -> next(More, Filter);
        _ -> false
    end.

next(none, []) -> true;
%% `a/#' has `a' too (section 4.7.1.2).
next(none, [rest]) -> true;
next(none, _) -> false;
next(_More, []) -> false;
next(More, Filter) -> levels(More, Filter).

after_level(<<$/, More/binary>>) -> More;
after_level(<<_, More/binary>>) -> after_level(More);
after_level(<<>>) -> none.
