%% @doc Senders that wait for the outcome of an attempt which another sender, with the same identity, has made.
-module(tightbeam_joined).

-export([create_tables/0, join/2, leave/1, of_identity/1, identity_of/1, is_awaited/1]).

%% {{IdKey, Key}} and {Key, IdKey}.
-define(BY_IDENTITY, tightbeam_joined_by_identity).
-define(BY_KEY, tightbeam_joined).

-spec create_tables() -> ok.
create_tables() ->
    Opts = [named_table, public, {write_concurrency, true}],
    ?BY_IDENTITY = ets:new(?BY_IDENTITY, [ordered_set | Opts]),
    ?BY_KEY = ets:new(?BY_KEY, [set | Opts]),
    ok.

-spec join(tightbeam_identity:id_key(), tightbeam_pending:key()) -> ok.
join(IdKey, Key) ->
    true = ets:insert(?BY_IDENTITY, {{IdKey, Key}}),
    true = ets:insert(?BY_KEY, {Key, IdKey}),
    ok.

%% @doc Takes it out again, once: false, it was not there.
-spec leave(tightbeam_pending:key()) -> boolean().
leave(Key) ->
    try ets:take(?BY_KEY, Key) of
        [{_, IdKey}] -> ets:delete(?BY_IDENTITY, {IdKey, Key});
        [] -> false
    catch
        %% The plugin has been stopped.
        error:badarg -> false
    end.

-spec of_identity(tightbeam_identity:id_key()) -> [tightbeam_pending:key()].
of_identity(IdKey) ->
    %% Mostly there is none, and a match specification would cost more than the look.
    case ets:next(?BY_IDENTITY, {IdKey, 0}) of
        {IdKey, _} -> ets:select(?BY_IDENTITY, [{{{IdKey, '$1'}}, [], ['$1']}]);
        _ -> []
    end.

-spec identity_of(tightbeam_pending:key()) -> tightbeam_identity:id_key() | undefined.
identity_of(Key) ->
    try ets:lookup(?BY_KEY, Key) of
        [{_, IdKey}] -> IdKey;
        [] -> undefined
    catch
        error:badarg -> undefined
    end.

%% @doc Does anybody wait for this attempt beside the one who made it?
-spec is_awaited(tightbeam_identity:place() | undefined) -> boolean().
is_awaited({Node, IdKey}) when Node =:= node() -> of_identity(IdKey) =/= [];
is_awaited(_) -> false.
