%% @doc The steps before a message can be handed over: what is remembered of its identity, where the receiver is, whether
%% it may receive it. `ok': done, or on its way; `false': not at once.
-module(tightbeam_locate).

-export([at_once/1, locate/1]).

-type job() :: tightbeam_delivery:job().
-type result() :: ok | {gather, job()} | {again, pos_integer(), job()}.

%% Milliseconds after which somebody who is not there is looked for again.
-define(AGAIN, 50).

%% @doc In the sender's connection: nobody has to be asked, and nothing is ahead of it.
-spec at_once(job()) -> ok | false.
at_once(#{msg := Msg, request := #{clientid := ClientId}} = Job) ->
    case emqx_cm:lookup_channels(local, ClientId) of
        [Pid] ->
            case tightbeam_inflight:receiver(Pid) of
                #{} = Receiver ->
                    Allowed = tightbeam_authz:remembered(Pid, emqx_message:topic(Msg)),
                    case
                        is_boolean(Allowed) andalso not tightbeam_waiting:is_blocked(Pid) andalso is_followed(Receiver, Job) andalso
                            not is_exclusive(Pid, Receiver, Job)
                    of
                        true -> judged(Allowed, Pid, Receiver, begun(Job), false);
                        false -> false
                    end;
                _ ->
                    false
            end;
        _ ->
            false
    end.

%% Is it known here what other nodes remember of that client ID?
is_followed(_Receiver, #{request := #{identity := undefined}}) -> true;
is_followed(#{gathered := Gathered}, _Job) -> Gathered orelse nodes() =:= [].

%% A request of which only one may wait: the worker decides which.
is_exclusive(Pid, Receiver, #{request := #{answer := _}}) -> not maps:get(mqtt5, Receiver, true) orelse tightbeam_answers:is_bare(Pid);
is_exclusive(_Pid, _Receiver, _Job) -> false.

%% @doc In the worker.
-spec locate(job()) -> result().
locate(#{key := Key} = Job) ->
    %% A sender that has its answer already (deadline, disconnect) is not worked for.
    case tightbeam_pending:is_open(Key) andalso remaining(Job) > 0 of
        true -> woken(Job);
        false -> ended(Job, puback_timeout)
    end.

%% Its sender's policies may be others by now.
woken(#{woken := Node, key := {Sender, _} = Key, msg := Msg} = Woken) ->
    Job = maps:remove(woken, Woken),
    case tightbeam_authz:may_send(Sender, Msg) of
        true when Node =:= node() -> recall(Job);
        true -> forward(Node, Job);
        {false, IsTold} -> tightbeam_settle:outcome(Key, maps:get(place, Job, undefined), sender_not_authorized, #{written => no, is_told => IsTold})
    end;
woken(Job) ->
    recall(Job).

%% The receiver is there: from here on its time counts, if the message could wait for it.
begun(#{wait_until := _, key := Key, request := #{timeout := Timeout}} = Job) ->
    ok = tightbeam_pending:begun(Key),
    Job#{deadline := erlang:monotonic_time(millisecond) + Timeout};
begun(Job) ->
    Job.

recall(#{place := _} = Job) ->
    find(Job);
recall(#{request := #{identity := undefined}} = Job) ->
    find(Job);
recall(#{key := Key, deadline := Deadline, request := #{identity := Identity}, followed := Followed} = Job) ->
    case tightbeam_identity:recall(Identity, Key, Deadline) of
        unknown ->
            find(Job);
        reused ->
            tightbeam_pending:complete(Key, key_reused, #{written => no});
        joined ->
            _ = begun(Job),
            tightbeam_metrics:inc('tightbeam.identity.joined');
        {answer, Outcome, Details} ->
            tightbeam_metrics:inc('tightbeam.identity.repeated'),
            tightbeam_pending:complete(Key, Outcome, Details);
        {elsewhere, Node} ->
            case lists:member(Node, nodes()) andalso not lists:member(Node, Followed) of
                true ->
                    forward(Node, Job#{followed := [Node | Followed]});
                false ->
                    %% That node is gone, and what it remembered with it.
                    tightbeam_metrics:inc('tightbeam.identity.lost'),
                    ok = tightbeam_identity:lose(Identity),
                    find(Job)
            end
    end.

%% A connection of this node first; else the next node on which the client ID is known. Two channels
%% of one client ID are there for a moment during a takeover: the latest connection counts.
find(#{request := #{clientid := ClientId}} = Job) ->
    Local = local(ClientId),
    case connected(Local) of
        [{Pid, Info} | _] -> here(Pid, Info, begun(Job));
        [] -> elsewhere(lists:any(fun is_offline/1, Local), Job)
    end.

local(ClientId) ->
    [{Pid, emqx_cm:do_get_chan_info(ClientId, Pid)} || Pid <- emqx_cm:lookup_channels(local, ClientId)].

is_offline({_Pid, #{conn_state := disconnected}}) -> true;
is_offline(_) -> false.

connected(Channels) ->
    lists:sort(
        fun({_, A}, {_, B}) -> connected_at(A) >= connected_at(B) end,
        [{Pid, Info} || {Pid, #{conn_state := connected} = Info} <- Channels]
    ).

connected_at(Info) ->
    maps:get(connected_at, maps:get(conninfo, Info, #{}), 0).

%% A connection to which nothing was sent yet may be that of a client that was on another node before.
here(Pid, Info, Job) ->
    case tightbeam_inflight:receiver(Pid) of
        #{gathered := true} -> authorize(Pid, Info, Job);
        _ -> first_gather(Job, fun(J) -> authorize(Pid, Info, J) end)
    end.

first_gather(#{request := #{identity := Identity}, gathered := Gathered} = Job, Else) ->
    case Identity =/= undefined andalso not Gathered andalso not is_map_key(place, Job) andalso nodes() =/= [] of
        true -> {gather, Job};
        false -> Else(Job)
    end.

elsewhere(IsOffline, #{request := #{clientid := ClientId}, visited := Visited0, offline := Offline0} = Job0) ->
    Job = Job0#{visited := [node() | Visited0], offline := Offline0 orelse IsOffline},
    case lists:usort([node(Pid) || Pid <- emqx_cm:lookup_channels(ClientId)]) -- [node() | Visited0] of
        [Node | _] -> forward(Node, Job);
        [] -> first_gather(Job, fun nobody/1)
    end.

nobody(#{offline := Offline, wait_until := _} = Job) ->
    tightbeam_connection_waits:wait(Job, Offline);
nobody(#{offline := Offline, missed := Missed, request := #{clientid := ClientId}} = Job) ->
    case Offline orelse tightbeam_emqx:has_durable_session(ClientId) of
        true ->
            ended(Job, client_offline_with_session);
        %% In the middle of a takeover there may be no channel at all: who is not there is looked for once more, and
        %% while a takeover is known, as long as one can last.
        false when Missed =:= 0 ->
            {again, ?AGAIN, Job#{missed := 1, visited := []}};
        false ->
            case tightbeam_inflight:is_taken_over(ClientId) of
                true -> {again, ?AGAIN, Job#{visited := []}};
                false -> ended(Job, client_not_connected)
            end
    end.

forward(Node, #{key := Key, request := #{clientid := ClientId}} = Job) ->
    ok = tightbeam_pending:bind(Key, Node),
    Fields = maps:without([deadline, sequence, missed], Job),
    tightbeam_wire:cast(Node, tightbeam_delivery:name_of(ClientId), deliver, Fields#{remaining => remaining(Job)}).

authorize(Pid, #{clientinfo := ClientInfo} = Info, #{msg := Msg, request := #{qos := QoS}, gathered := Gathered} = Job) ->
    Allowed = tightbeam_authz:is_allowed(Pid, ClientInfo, emqx_message:topic(Msg), QoS),
    Receiver = #{
        mountpoint => maps:get(mountpoint, ClientInfo, undefined),
        max_packet_size => max_packet_size(maps:get(conninfo, Info, #{})),
        mqtt5 => maps:get(proto_ver, maps:get(conninfo, Info, #{}), 5) =:= 5,
        gathered => Gathered orelse nodes() =:= []
    },
    judged(Allowed, Pid, Receiver, Job, true).

max_packet_size(#{proto_ver := 5, conn_props := #{'Maximum-Packet-Size' := Max}}) -> Max;
max_packet_size(_) -> infinity.

judged(false, _Pid, _Receiver, Job, _InWorker) ->
    ended(Job, receiver_not_authorized);
judged(true, Pid, Receiver, #{place := _} = Job, _InWorker) ->
    tightbeam_handover:hand_over(Pid, Receiver, Job);
judged(true, Pid, Receiver, #{key := Key} = Job, InWorker) ->
    case tightbeam_answers:has_room(Pid, maps:get(mqtt5, Receiver, true), Key, Job) of
        true -> opened(Pid, Receiver, Job, InWorker);
        %% Another request waits for its answer, and nothing would tell them apart.
        false -> ended(Job, receiver_throttled)
    end.

opened(Pid, Receiver, #{request := #{identity := undefined}} = Job, _InWorker) ->
    tightbeam_handover:hand_over(Pid, Receiver, Job);
opened(Pid, Receiver, #{key := Key, request := #{identity := Identity}} = Job, InWorker) ->
    case tightbeam_identity:open(Identity, Key, InWorker) of
        opened -> tightbeam_handover:hand_over(Pid, Receiver, Job#{place => tightbeam_identity:place(Identity)});
        full -> tightbeam_handover:hand_over(Pid, Receiver, Job);
        taken when InWorker -> recall(Job);
        taken -> false
    end.

ended(#{key := Key} = Job, Outcome) ->
    tightbeam_settle:unwritten(Key, maps:get(place, Job, undefined), Outcome).

remaining(#{deadline := Deadline}) ->
    Deadline - erlang:monotonic_time(millisecond).
