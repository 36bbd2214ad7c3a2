%% @doc What became of deliveries that have an identity, so that repeating one does not deliver it twice. Kept where the
%% receiver's connection lives, in memory, by target client ID, principal of the sender, and `dm-id'. Bounded: by number in
%% all and for each principal (who has too many loses own ones, oldest first), and in bytes by what an entry can hold, about
%% 1 KB.
-module(tightbeam_identity).

-behaviour(gen_server).

-export([start_link/0, create_tables/0, open/3, recall/3, resolve/4, attempt/1, place/1]).
-export([export/1, import/1, lose/1, evict/2, count/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([id_key/0, place/0, identity/0, status/0]).

-type id_key() :: {binary(), tightbeam_request:principal(), binary()}.
%% The node that remembers, and the entry.
-type place() :: {node(), id_key()}.
-type identity() :: #{
    key := id_key(), fingerprint := binary(), trace_id := binary() | undefined
}.
%% open: under way; done: the answer to every repeat; free: a repeat is a new attempt, and `earlier' says whether something
%% was written; elsewhere: under way on the node of an earlier connection.
-type status() :: open | {done, tightbeam_outcome:outcome(), map()} | free | {elsewhere, node()}.

-record(identity, {
    key :: id_key() | {binary(), '_', '_'} | {'_', tightbeam_request:principal(), '_'} | '$1',
    fingerprint :: binary() | '_',
    status :: status() | '_',
    attempt :: tightbeam_pending:key() | undefined | '_',
    trace_id :: binary() | undefined | '_',
    earlier :: boolean() | '_',
    %% Monotonic milliseconds.
    until :: integer() | '$2'
}).

-define(TAB, tightbeam_identities).
-define(SWEEP, 5000).
-define(SWEEP_BATCH, 1000).
%% An attempt can take this long: the longest timeout and what may come on top.
-define(LONGEST, 65000).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec create_tables() -> ok.
create_tables() ->
    ?TAB = ets:new(?TAB, [ordered_set, named_table, public, {keypos, #identity.key}, {write_concurrency, true}, {decentralized_counters, false}]),
    ok.

-spec place(identity()) -> place().
place(#{key := IdKey}) -> {node(), IdKey}.

%% @doc Begins an attempt. `taken': look at it first ({@link recall/3}); `full': it is not remembered, since there is no
%% room and nothing of that principal to make some. `Reopen' is for the one worker of that client ID alone.
-spec open(identity(), tightbeam_pending:key(), Reopen :: boolean()) -> opened | taken | full.
open(#{key := {_, Principal, _} = IdKey, fingerprint := Fingerprint, trace_id := TraceId}, Key, Reopen) ->
    Entry = #identity{
        key = IdKey, fingerprint = Fingerprint, status = open, attempt = Key, trace_id = TraceId, earlier = false, until = until()
    },
    case ets:insert_new(?TAB, Entry) of
        true ->
            case tightbeam_principals:add(Principal, count()) of
                true ->
                    opened;
                false ->
                    ok = forget(IdKey),
                    full
            end;
        false when Reopen ->
            reopen(IdKey, Key);
        false ->
            taken
    end.

reopen(IdKey, Key) ->
    case ets:lookup(?TAB, IdKey) of
        [#identity{status = free}] ->
            _ = ets:update_element(?TAB, IdKey, [
                {#identity.status, open}, {#identity.attempt, Key}, {#identity.until, until()}
            ]),
            opened;
        [#identity{status = open, attempt = Key}] ->
            opened;
        _ ->
            taken
    end.

until() ->
    now_ms() + ?LONGEST + tightbeam_config:get(identities_ttl_ms).

%% @doc What is known of an identity, for a repeat. One that is under way is joined: its outcome will answer this sender too.
-spec recall(identity(), tightbeam_pending:key(), integer()) ->
    unknown | reused | joined | {answer, tightbeam_outcome:outcome(), map()} | {elsewhere, node()}.
recall(#{key := IdKey, fingerprint := Fingerprint} = Identity, Key, Deadline) ->
    case ets:lookup(?TAB, IdKey) of
        [] ->
            unknown;
        [#identity{fingerprint = Other}] when Other =/= Fingerprint ->
            reused;
        [#identity{status = free}] ->
            unknown;
        %% Its own, on its way back from a connection that is gone.
        [#identity{status = open, attempt = Key}] ->
            unknown;
        [#identity{status = {done, Outcome, Details}, trace_id = TraceId}] ->
            {answer, Outcome, joined(Details, TraceId)};
        [#identity{status = {elsewhere, Node}}] ->
            {elsewhere, Node};
        [#identity{status = open, attempt = Attempt}] ->
            ok = tightbeam_joined:join(IdKey, Key),
            ok = tightbeam_inflight:postpone(Attempt, Deadline),
            %% It may have been settled before it could be seen that somebody joined.
            case ets:lookup(?TAB, IdKey) of
                [#identity{status = open, attempt = Attempt}] ->
                    joined;
                _ ->
                    case tightbeam_joined:leave(Key) of
                        true -> recall(Identity, Key, Deadline);
                        %% Who settled it has taken this sender along.
                        false -> joined
                    end
            end
    end.

joined(Details, undefined) -> Details#{joined => true};
joined(Details, TraceId) -> Details#{joined => true, trace_id => TraceId}.

%% @doc The attempt that one who joined waits for.
-spec attempt(tightbeam_pending:key()) -> tightbeam_pending:key() | undefined.
attempt(Key) ->
    case tightbeam_joined:identity_of(Key) of
        undefined -> undefined;
        IdKey -> ets:lookup_element(?TAB, IdKey, #identity.attempt)
    end.

%% @doc An attempt has ended. All that joined get its outcome. Returns what the sender who made it is to be told beyond:
%% whether an earlier attempt had written the message.
-spec resolve(place() | undefined, tightbeam_pending:key(), tightbeam_outcome:outcome(), map()) -> map().
resolve(undefined, _Key, _Outcome, Details) ->
    Details;
resolve({Node, IdKey}, Key, Outcome, Details) when Node =/= node() ->
    ok = tightbeam_wire:cast(Node, ?MODULE, resolve, #{
        id => IdKey, attempt => Key, outcome => Outcome, details => Details
    }),
    Details;
resolve({_, IdKey}, Key, Outcome, Details) ->
    try ets:lookup(?TAB, IdKey) of
        [#identity{attempt = Attempt, status = Status, earlier = Earlier, trace_id = TraceId}] ->
            IsFinal = tightbeam_outcome:is_final(Outcome),
            Told =
                case Earlier andalso Attempt =:= Key of
                    true -> Details#{earlier_written => true};
                    false -> Details
                end,
            case is_tuple(Status) andalso element(1, Status) =:= done orelse (not IsFinal andalso {Attempt, Status} =/= {Key, open}) of
                true ->
                    Told;
                false ->
                    ok = end_attempt(IdKey, IsFinal, Outcome, Details, Earlier),
                    ok = answer_joined(IdKey, Outcome, joined(Told, TraceId)),
                    Told
            end;
        [] ->
            Details
    catch
        error:badarg -> Details
    end.

end_attempt(IdKey, true, Outcome, Details, _Earlier) ->
    close(IdKey, tightbeam_kept:keep(IdKey, {done, Outcome, Details}), true);
end_attempt(IdKey, false, _Outcome, #{written := no}, false) ->
    forget(IdKey);
end_attempt(IdKey, false, _Outcome, _Details, _Earlier) ->
    close(IdKey, free, true).

close(IdKey, Status, Earlier) ->
    Until = now_ms() + tightbeam_config:get(identities_ttl_ms),
    _ = ets:update_element(?TAB, IdKey, [
        {#identity.status, Status}, {#identity.earlier, Earlier}, {#identity.until, Until}
    ]),
    ok.

answer_joined(IdKey, Outcome, Details) ->
    lists:foreach(
        fun(Key) -> tightbeam_joined:leave(Key) andalso tightbeam_pending:complete(Key, Outcome, Details) end,
        tightbeam_joined:of_identity(IdKey)
    ).

forget({_, Principal, _} = IdKey) ->
    case ets:take(?TAB, IdKey) of
        [#identity{status = Status, attempt = Attempt}] ->
            _ = tightbeam_answers:forget(Attempt),
            ok = tightbeam_kept:release(Principal, Status),
            tightbeam_principals:remove(Principal);
        [] ->
            ok
    end.

%% @doc Forgets so many of a principal, oldest first, none that is under way. Returns how many there were.
-spec evict(tightbeam_request:principal(), pos_integer()) -> non_neg_integer().
evict(Principal, Number) ->
    Ended = [
        {Until, Key}
     || #identity{key = Key, status = Status, until = Until} <-
            ets:match_object(?TAB, #identity{key = {'_', Principal, '_'}, _ = '_'}),
        Status =/= open
    ],
    Oldest = lists:sublist(lists:sort(Ended), Number),
    lists:foreach(fun({_, Key}) -> forget(Key) end, Oldest),
    length(Oldest).

-spec count() -> non_neg_integer().
count() ->
    ets:info(?TAB, size).

%%--------------------------------------------------------------------
%% From node to node: a client ID that comes to another node is followed by what is remembered of it
%%--------------------------------------------------------------------

%% @doc All that is known of a client ID here, for another node.
-spec export(binary()) -> [map()].
export(ClientId) ->
    Now = now_ms(),
    [
        #{
            key => Key, fingerprint => Fingerprint, status => abroad(Status), trace_id => TraceId, earlier => Earlier,
            remaining => max(1, Until - Now)
        }
     || #identity{
            key = Key, fingerprint = Fingerprint, status = Status, trace_id = TraceId, earlier = Earlier, until = Until
        } <- ets:match_object(?TAB, #identity{key = {ClientId, '_', '_'}, _ = '_'})
    ].

abroad(open) -> {elsewhere, node()};
abroad(Status) -> Status.

%% @doc Takes over what another node knows; what is known here counts more, unless there it ended and here it did not.
-spec import([map()]) -> ok.
import(Entries) ->
    lists:foreach(fun import_one/1, Entries).

import_one(#{
    key := {_, Principal, _} = Key, fingerprint := Fingerprint, status := Status, trace_id := TraceId, earlier := Earlier,
    remaining := Remaining
}) ->
    Entry = #identity{
        key = Key, fingerprint = Fingerprint, status = tightbeam_kept:keep(Key, Status), attempt = undefined, trace_id = TraceId, earlier = Earlier,
        until = now_ms() + Remaining
    },
    case ets:insert_new(?TAB, Entry) of
        true ->
            _ = tightbeam_principals:add(Principal, count()),
            ok;
        false ->
            case ets:lookup(?TAB, Key) of
                [#identity{status = Own}] when Own =:= free; element(1, Own) =:= elsewhere -> ets:insert(?TAB, Entry);
                _ -> tightbeam_kept:release(Principal, Entry#identity.status)
            end
    end;
import_one(_) ->
    ok.

%% @doc The node that knew of it is gone.
-spec lose(identity()) -> ok.
lose(#{key := IdKey}) ->
    forget(IdKey).

init([]) ->
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {ok, #{}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast(Word, State) ->
    case tightbeam_wire:read(Word) of
        {resolve, #{id := IdKey, attempt := Key, outcome := Outcome, details := Details}} ->
            _ = tightbeam_inflight:remove(Key),
            _ = tightbeam_answers:forget(Key),
            resolve({node(), IdKey}, Key, tightbeam_outcome:known(Outcome), Details);
        {gather, #{clientid := ClientId, process := Process, node := Node}} ->
            tightbeam_wire:cast(Node, Process, gathered, #{clientid => ClientId, entries => export(ClientId), from => node()});
        _ ->
            ok
    end,
    {noreply, State}.

handle_info(Message, State) ->
    Message =:= sweep andalso sweep(now_ms()),
    Message =:= sweep andalso erlang:send_after(?SWEEP, self(), sweep),
    {noreply, State}.

sweep(Now) ->
    Spec = [{#identity{key = '$1', until = '$2', _ = '_'}, [{'=<', '$2', Now}], ['$1']}],
    case ets:select(?TAB, Spec, ?SWEEP_BATCH) of
        {Keys, _} ->
            lists:foreach(fun forget/1, Keys),
            sweep(Now);
        '$end_of_table' ->
            ok
    end.

now_ms() ->
    erlang:monotonic_time(millisecond).
