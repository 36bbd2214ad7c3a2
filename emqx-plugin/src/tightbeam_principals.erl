%% @doc How many identities are remembered of each principal, so that one who has too many loses own ones and nobody else
%% does.
-module(tightbeam_principals).

-export([create_tables/0, add/2, remove/1, make_room/1]).

%% {Principal, how many, when its own were last looked through (0: never)}
-define(TAB, ?MODULE).
%% Looking through all entries for one principal's takes long: at most once in this many milliseconds.
-define(LOOK_AGAIN, 1000).

-spec create_tables() -> ok.
create_tables() ->
    ?TAB = ets:new(?TAB, [set, named_table, public, {write_concurrency, true}]),
    ok.

%% @doc Counts one more, of so many in all. False: there was no room for it, and none could be made by forgetting own
%% ones.
-spec add(tightbeam_request:principal(), non_neg_integer()) -> boolean().
add(Principal, Remembered) ->
    #{identities_max := Max, identities_max_per_principal := MaxOwn} = tightbeam_config:all(),
    case ets:update_counter(?TAB, Principal, {2, 1}, {Principal, 0, 0}) of
        Own when Own =< MaxOwn, Remembered =< Max ->
            true;
        Own ->
            case make_room(Principal, Own, ets:lookup_element(?TAB, Principal, 3)) of
                true ->
                    true;
                false ->
                    tightbeam_metrics:inc('tightbeam.identity.not_remembered'),
                    false
            end
    end.

-spec remove(tightbeam_request:principal()) -> ok.
remove(Principal) ->
    case ets:update_counter(?TAB, Principal, {2, -1}, {Principal, 0, 0}) of
        N when N =< 0 -> ets:select_delete(?TAB, [{{Principal, '$1', '_'}, [{'=<', '$1', 0}], [true]}]);
        _ -> ok
    end,
    ok.

%% @doc Forgets some of what a principal has, oldest first, to make room for something of its own.
-spec make_room(tightbeam_request:principal()) -> boolean().
make_room(Principal) ->
    case ets:lookup(?TAB, Principal) of
        [{_, Own, LookedAt}] -> make_room(Principal, Own, LookedAt);
        [] -> false
    end.

make_room(Principal, Own, LookedAt) ->
    Now = erlang:monotonic_time(millisecond),
    case LookedAt =/= 0 andalso Now - LookedAt < ?LOOK_AGAIN of
        true ->
            false;
        false ->
            _ = ets:update_element(?TAB, Principal, {3, Now}),
            %% Some more than is needed, so that the next ones have room without looking.
            case tightbeam_identity:evict(Principal, 1 + Own div 10) of
                0 ->
                    false;
                Evicted ->
                    tightbeam_metrics:inc('tightbeam.identity.evicted', Evicted),
                    true
            end
    end.
