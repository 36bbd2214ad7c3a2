%% @doc Hands messages to connections, and takes back what they do not want. EMQX's session tells the process named in a
%% message's header `shared_dispatch_ack' what it does with it: acknowledged, it is being written; refused (`dropped'), the receive window is
%% full; refused (`no_connection'), there is no connection. So is the header used for shared subscriptions in every EMQX from
%% 5.1 to 6.3, and a message that is refused enters no queue. (From 6.2 on one that a delivery rate limit holds back
%% does; and durable sessions do not know the header.)
-module(tightbeam_handover).

-export([hand_over/3, wait/2, next/1, take_back/1, withdraw/1]).

-define(ACK_HEADER, shared_dispatch_ack).

%% @doc From the sender's connection or a worker.
-spec hand_over(pid(), tightbeam_inflight:receiver(), tightbeam_delivery:job()) -> ok.
hand_over(Pid, Receiver, #{key := Key, msg := Msg, request := Request, received := Received, deadline := Deadline} = Job) ->
    Place = maps:get(place, Job, undefined),
    Remaining = Deadline - erlang:monotonic_time(millisecond),
    Direct = tightbeam_message:make(Msg, Request, #{
        key => Key,
        identity => Place,
        remaining => max(1, Remaining),
        received => Received,
        mountpoint => maps:get(mountpoint, Receiver)
    }),
    case {Remaining > 0, tightbeam_message:fits(Direct, maps:get(max_packet_size, Receiver)), tightbeam_delivery:is_stopping()} of
        {true, true, false} ->
            ok = tightbeam_inflight:know(Pid, Receiver),
            ok = tightbeam_answers:wait(Job, Place),
            ok = tightbeam_inflight:add(#{
                key => Key, channel => Pid, state => handed, deadline => Deadline, identity => Place, job => Job
            }),
            %% Under the direct topic, to which nobody can be subscribed: with the delivered topic a subscription of
            %% the device to it would change the QoS and add its subscription identifier.
            _ = Pid ! {deliver, emqx_message:topic(Msg), with_answer(Direct, Key, Request)},
            ok;
        {_, _, true} ->
            tightbeam_settle:unwritten(Key, Place, stopped);
        {false, _, _} ->
            %% Authorization took longer than the sender waits.
            tightbeam_settle:unwritten(Key, Place, puback_timeout);
        {_, false, _} ->
            tightbeam_settle:unwritten(Key, Place, payload_too_large)
    end.

with_answer(Direct, Key, #{clientid := ClientId}) ->
    case whereis(tightbeam_delivery:name_of(ClientId)) of
        undefined -> Direct;
        Worker -> emqx_message:set_header(?ACK_HEADER, {tightbeam, Worker, {tightbeam, Key}}, Direct)
    end.

%% @doc The window was full. In the worker, as all that follows. One that was tried keeps its place.
-spec wait(tightbeam_pending:key(), IsTried :: boolean()) -> {waits, pid()} | ended.
wait(Key, IsTried) ->
    case tightbeam_inflight:find(Key) of
        #{state := handed, channel := Channel, job := #{sequence := Sequence}, identity := Place} ->
            _ = tightbeam_inflight:set_state(Key, waiting),
            case is_wanted(Key, Place) andalso tightbeam_waiting:add(Channel, Sequence, Key, not IsTried) of
                true ->
                    {waits, Channel};
                false ->
                    ok = tightbeam_settle:unwritten(Key, Place, receiver_throttled),
                    ended
            end;
        _ ->
            ended
    end.

is_wanted(Key, Place) ->
    tightbeam_pending:is_open(Key) orelse tightbeam_joined:is_awaited(Place).

%% @doc Hands over the first that waits for that connection.
-spec next(pid()) -> {ok, tightbeam_pending:key()} | none.
next(Channel) ->
    case tightbeam_delivery:is_stopping() of
        true -> none;
        false -> next(tightbeam_waiting:take_first(Channel), Channel)
    end.

next(none, _Channel) ->
    none;
next({ok, Key}, Channel) ->
    case {tightbeam_inflight:find(Key), tightbeam_inflight:receiver(Channel)} of
        {#{state := waiting, deadline := Deadline, identity := Place, job := Job}, #{} = Receiver} ->
            case is_wanted(Key, Place) andalso Deadline > erlang:monotonic_time(millisecond) of
                true ->
                    ok = hand_over(Channel, Receiver, Job#{deadline := Deadline}),
                    {ok, Key};
                false ->
                    ok = tightbeam_settle:unwritten(Key, Place, receiver_throttled),
                    next(Channel)
            end;
        {#{state := waiting} = Attempt, _Gone} ->
            ok = tightbeam_delivery:back(Attempt),
            next(Channel);
        _ ->
            next(Channel)
    end.

%% @doc The connection is gone, and had not written it: what is to be looked for again.
-spec take_back(tightbeam_pending:key()) -> {ok, tightbeam_delivery:job()} | none.
take_back(Key) ->
    case tightbeam_inflight:find(Key) of
        #{state := State, channel := Channel, deadline := Deadline, job := #{sequence := Sequence} = Job} when
            State =:= waiting; State =:= handed
        ->
            ok = tightbeam_waiting:remove(Channel, Sequence),
            _ = tightbeam_inflight:remove(Key),
            {ok, Job#{deadline := Deadline, visited := [], offline := false}};
        _ ->
            none
    end.

%% @doc The time of its sender is over. It goes on waiting while others with its identity do.
-spec withdraw(tightbeam_pending:key()) -> ok.
withdraw(Key) ->
    case tightbeam_inflight:find(Key) of
        #{state := waiting, channel := Channel, identity := Place, job := #{sequence := Sequence}} ->
            case tightbeam_joined:is_awaited(Place) of
                true ->
                    tightbeam_pending:complete(Key, receiver_throttled, #{written => no});
                false ->
                    ok = tightbeam_waiting:remove(Channel, Sequence),
                    tightbeam_settle:unwritten(Key, Place, receiver_throttled)
            end;
        #{job := #{request := #{timeout := Timeout}}} ->
            tightbeam_settle:deadline(Key, Timeout);
        _ ->
            ok
    end.
