%% @doc The answers of devices that are kept for repeats of their requests: bounded in bytes, in all and for each principal, who
%% loses own ones.
-module(tightbeam_kept).

-export([create_tables/0, keep/2, release/2]).

%% {Principal, bytes}
-define(TAB, ?MODULE).
%% Of all principals.
-define(TOTAL, {tightbeam, kept_bytes}).
-define(MAX_BYTES, (64 * 1024 * 1024)).
-define(MAX_OWN_BYTES, (16 * 1024 * 1024)).

-spec create_tables() -> ok.
create_tables() ->
    ?TAB = ets:new(?TAB, [set, named_table, public, {write_concurrency, true}]),
    persistent_term:put(?TOTAL, atomics:new(1, [])).

%% @doc What is to be remembered of an identity, with its answer where there is room for that. One for which there is none is
%% an answer that is too large.
-spec keep(tightbeam_identity:id_key(), tightbeam_identity:status()) -> tightbeam_identity:status().
keep({_, Principal, _}, {done, _, #{response := Response} = Details} = Status) ->
    Bytes = erlang:external_size(Response),
    case count(Principal, Bytes) orelse (tightbeam_principals:make_room(Principal) andalso count(Principal, Bytes)) of
        true -> Status;
        false -> {done, response_too_large, maps:remove(response, Details)}
    end;
keep(_IdKey, Status) ->
    Status.

count(Principal, Bytes) ->
    Own = ets:update_counter(?TAB, Principal, {2, Bytes}, {Principal, 0}),
    Total = atomics:add_get(persistent_term:get(?TOTAL), 1, Bytes),
    case Own =< ?MAX_OWN_BYTES andalso Total =< ?MAX_BYTES of
        true ->
            true;
        false ->
            ok = less(Principal, Bytes),
            false
    end.

%% @doc It is forgotten.
-spec release(tightbeam_request:principal(), tightbeam_identity:status()) -> ok.
release(Principal, {done, _, #{response := Response}}) ->
    less(Principal, erlang:external_size(Response));
release(_Principal, _Status) ->
    ok.

less(Principal, Bytes) ->
    ok = atomics:sub(persistent_term:get(?TOTAL), 1, Bytes),
    case ets:update_counter(?TAB, Principal, {2, -Bytes}, {Principal, 0}) of
        N when N =< 0 -> ets:select_delete(?TAB, [{{Principal, '$1'}, [{'=<', '$1', 0}], [true]}]);
        _ -> ok
    end,
    ok.
