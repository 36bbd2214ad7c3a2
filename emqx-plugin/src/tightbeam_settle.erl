%% @doc Ends attempts: what is remembered of them first, their senders' answers second, so that a sender who has its answer
%% and repeats finds it remembered. And deadlines: what a sender is told when its time is over.
-module(tightbeam_settle).

-export([outcome/4, unwritten/3, disconnected/1, deadline/2, overdue/1, under_way/1]).

%% @doc The outcome of an attempt, from the receiver's connection or its end.
-spec outcome(tightbeam_pending:key(), tightbeam_identity:place() | undefined, tightbeam_outcome:outcome(), map()) -> ok.
outcome(Key, Identity, Outcome, More) ->
    _ = tightbeam_answers:forget(Key),
    State =
        case tightbeam_inflight:remove(Key) of
            #{state := S} -> S;
            undefined -> handed
        end,
    Details = maps:merge(#{written => written(State)}, More),
    tightbeam_pending:complete(Key, Outcome, tightbeam_identity:resolve(Identity, Key, Outcome, Details)).

written({written, _}) -> yes;
written(moved) -> yes;
written(refused) -> yes;
written(waiting) -> no;
written(handed) -> unknown.

%% @doc An attempt ended before anything could be written.
-spec unwritten(tightbeam_pending:key(), tightbeam_identity:place() | undefined, tightbeam_outcome:outcome()) -> ok.
unwritten(Key, Identity, Outcome) ->
    outcome(Key, Identity, Outcome, #{written => no}).

-spec disconnected(tightbeam_inflight:attempt()) -> ok.
disconnected(#{key := Key, identity := Identity}) ->
    outcome(Key, Identity, receiver_disconnected, #{}).

%% @doc The time of a sender, counted from its PUBLISH, is over; counted from the delivery it may not be. On the node of
%% the receiver, from any process.
-spec deadline(tightbeam_pending:key(), pos_integer()) -> ok.
deadline(Key, Timeout) ->
    case tightbeam_identity:attempt(Key) of
        undefined -> own(Key, Timeout, under_way(Key));
        Attempt -> has_joined(Key, under_way(Attempt))
    end.

%% @doc A request that the device has acknowledged is in no connection's hands any more.
-spec under_way(tightbeam_pending:key()) -> tightbeam_inflight:attempt() | tightbeam_answers:awaited() | undefined.
under_way(Key) ->
    case tightbeam_answers:find(Key) of
        #{state := {acknowledged, _}} = Awaited -> Awaited;
        _ -> tightbeam_inflight:find(Key)
    end.

own(Key, Timeout, #{state := {acknowledged, At}, identity := Identity}) ->
    over(Key, At + Timeout - erlang:monotonic_time(millisecond), fun() ->
        given_up(Key, Identity),
        tightbeam_pending:complete(Key, acknowledged_not_answered, #{written => yes})
    end);
own(Key, Timeout, #{state := {written, At}, identity := Identity}) ->
    over(Key, At + Timeout - erlang:monotonic_time(millisecond), fun() ->
        given_up(Key, Identity),
        tightbeam_pending:complete(Key, puback_timeout, #{written => yes})
    end);
own(_Key, _Timeout, #{state := waiting} = Attempt) ->
    tightbeam_delivery:withdraw(Attempt);
own(Key, _Timeout, #{state := State, identity := Identity}) ->
    given_up(Key, Identity),
    tightbeam_pending:complete(Key, puback_timeout, #{written => written(State)});
own(Key, _Timeout, undefined) ->
    %% Still being judged, or looked for.
    tightbeam_pending:complete(Key, puback_timeout, #{written => no}).

over(Key, Left, _Complete) when Left > 0 -> tightbeam_pending:extend(Key, Left);
over(_Key, _Left, Complete) -> Complete().

%% Where it has an identity, its acknowledgement and its answer still count.
given_up(Key, undefined) ->
    _ = tightbeam_inflight:remove(Key),
    _ = tightbeam_answers:forget(Key),
    ok;
given_up(_Key, _Identity) ->
    ok.

%% One that joined waits by its own timeout for what another has sent.
has_joined(Key, Attempt) ->
    case tightbeam_joined:leave(Key) of
        true -> joined(Key, Attempt);
        false -> ok
    end.

joined(Key, #{state := waiting}) ->
    tightbeam_pending:complete(Key, receiver_throttled, #{written => no, joined => true});
joined(Key, #{state := {acknowledged, _}}) ->
    tightbeam_pending:complete(Key, acknowledged_not_answered, #{written => yes, joined => true});
joined(Key, #{state := State}) ->
    tightbeam_pending:complete(Key, puback_timeout, #{written => written(State), joined => true});
joined(Key, undefined) ->
    tightbeam_pending:complete(Key, puback_timeout, #{written => unknown, joined => true}).

%% @doc All the time that a message may take is over, or the node of the receiver did not answer.
-spec overdue(tightbeam_pending:key()) -> ok.
overdue(Key) ->
    case under_way(Key) of
        #{state := {_, _}} = Attempt -> own(Key, 0, Attempt);
        _ -> tightbeam_pending:complete(Key, puback_timeout, #{written => unknown})
    end.
