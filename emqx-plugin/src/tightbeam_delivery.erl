%% @doc Takes a direct message to its receiver's connection: at once, from the sender's own, where
%% nothing has to be waited for. Else by a worker, chosen by the receiver's client ID: messages to one
%% device stay in order, and a slow authorization holds up neither the sender's connection nor (but
%% for those that share the worker) other devices.
-module(tightbeam_delivery).

-behaviour(gen_server).

-export([start_link/1, name/1, pool_size/0, dispatch/3, create_counters/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% Everything in it can go to another node, see tightbeam_wire.
-type job() :: #{
    key := tightbeam_pending:key(),
    msg := term(),
    request := tightbeam_request:request(),
    %% Monotonic milliseconds of the node that works on it.
    deadline := integer(),
    %% System time in milliseconds at which the sender's PUBLISH came.
    received := integer(),
    visited := [node()],
    %% Has a session without a connection been seen on the way?
    offline := boolean(),
    %% How often nobody of that client ID was found.
    missed := non_neg_integer()
}.

%% The same on every node: a worker's name is also its address on another node.
-define(POOL_SIZE, 64).
%% Milliseconds after which somebody who is not there is looked for again.
-define(AGAIN, 50).
%% How many messages of this node each worker has before it: a sender whose message waits there must
%% not overtake it.
-define(WAITING, {tightbeam, delivery_waiting}).

-spec start_link(non_neg_integer()) -> {ok, pid()} | {error, term()}.
start_link(N) ->
    gen_server:start_link({local, name(N)}, ?MODULE, N, []).

-spec name(non_neg_integer()) -> atom().
name(N) ->
    list_to_atom("tightbeam_delivery_" ++ integer_to_list(N)).

-spec pool_size() -> pos_integer().
pool_size() ->
    ?POOL_SIZE.

-spec create_counters() -> ok.
create_counters() ->
    persistent_term:put(?WAITING, atomics:new(?POOL_SIZE, [])).

%% @doc Takes a message to its receiver, or to a worker; its pending entry is open already.
-spec dispatch(tightbeam_pending:key(), term(), tightbeam_request:request()) -> ok.
dispatch(Key, Msg, #{timeout := Timeout} = Request) ->
    Job = #{
        key => Key,
        msg => Msg,
        request => Request,
        deadline => erlang:monotonic_time(millisecond) + Timeout,
        received => erlang:system_time(millisecond),
        visited => [],
        offline => false,
        missed => 0
    },
    N = worker(Request),
    Waiting = persistent_term:get(?WAITING),
    case atomics:get(Waiting, N + 1) =:= 0 andalso guarded(Job, fun at_once/1) of
        true ->
            ok;
        false ->
            ok = atomics:add(Waiting, N + 1, 1),
            gen_server:cast(name(N), {deliver, Job})
    end.

worker(#{clientid := ClientId}) ->
    erlang:phash2(ClientId, ?POOL_SIZE).

init(N) ->
    ok = atomics:put(persistent_term:get(?WAITING), N + 1, 0),
    {ok, N}.

handle_call(_Request, _From, N) ->
    {reply, ignored, N}.

handle_cast({deliver, Job}, N) ->
    ok = work(Job),
    ok = atomics:sub(persistent_term:get(?WAITING), N + 1, 1),
    {noreply, N};
handle_cast(Word, N) ->
    case tightbeam_wire:read(Word) of
        {deliver, #{remaining := Remaining} = Job} ->
            ok = work(Job#{deadline => erlang:monotonic_time(millisecond) + Remaining, missed => 0});
        _ ->
            ok
    end,
    {noreply, N}.

handle_info({again, Job}, N) ->
    ok = work(Job),
    {noreply, N};
handle_info(_, N) ->
    {noreply, N}.

work(#{key := Key} = Job) ->
    %% A sender that has its answer already (deadline, disconnect) is not worked for.
    case tightbeam_pending:is_open(Key) andalso remaining(Job) > 0 of
        false ->
            ok;
        true ->
            true = guarded(Job, fun locate/1),
            ok
    end.

%% Whatever happens, the sender gets its answer.
-spec guarded(job(), fun((job()) -> boolean())) -> boolean().
guarded(#{key := Key} = Job, Fun) ->
    try
        Fun(Job)
    catch
        Class:Reason:Stacktrace ->
            logger:error(#{
                msg => "tightbeam_delivery_failed",
                class => Class,
                reason => Reason,
                stacktrace => Stacktrace
            }),
            ok = tightbeam_pending:complete(Key, failed),
            true
    end.

%% False where it cannot be done at once: the receiver is not known here, or somebody has to be asked.
at_once(#{msg := Msg, request := #{clientid := ClientId}} = Job) ->
    case emqx_cm:lookup_channels(local, ClientId) of
        [Pid] ->
            case tightbeam_inflight:receiver(Pid) of
                #{} = Receiver ->
                    case tightbeam_authz:remembered(Pid, emqx_message:topic(Msg)) of
                        unknown -> false;
                        Allowed -> judged(Allowed, Pid, Receiver, Job)
                    end;
                _ ->
                    false
            end;
        _ ->
            false
    end.

%% A connection of this node first; else the next node on which the client ID is known. Two channels
%% of one client ID are there for a moment during a takeover: the latest connection counts.
locate(#{request := #{clientid := ClientId}} = Job) ->
    Local = local(ClientId),
    case connected(Local) of
        [{Pid, Info} | _] -> authorize(Pid, Info, Job);
        [] -> elsewhere(lists:any(fun is_offline/1, Local), Job)
    end.

local(ClientId) ->
    [{Pid, emqx_cm:do_get_chan_info(ClientId, Pid)} || Pid <- emqx_cm:lookup_channels(local, ClientId)].

elsewhere(IsOffline, #{request := #{clientid := ClientId}, visited := Visited0, offline := Offline0} = Job) ->
    Visited = [node() | Visited0],
    Offline = Offline0 orelse IsOffline,
    case lists:usort([node(Pid) || Pid <- emqx_cm:lookup_channels(ClientId)]) -- Visited of
        [Node | _] -> forward(Node, Job#{visited := Visited, offline := Offline});
        [] -> nobody(Offline orelse tightbeam_emqx:has_durable_session(ClientId), Job)
    end,
    true.

nobody(true, #{key := Key}) ->
    tightbeam_pending:complete(Key, client_offline_with_session);
nobody(false, #{key := Key, request := #{clientid := ClientId}, missed := Missed} = Job) ->
    %% In the middle of a takeover there may be no channel at all: who is not there is looked for once more, and while a
    %% takeover is known, as long as one can last.
    case Missed =:= 0 orelse tightbeam_inflight:is_taken_over(ClientId) of
        true ->
            _ = erlang:send_after(?AGAIN, self(), {again, Job#{missed := Missed + 1, visited := []}}),
            ok;
        false ->
            tightbeam_pending:complete(Key, client_not_connected)
    end.

is_offline({_Pid, #{conn_state := disconnected}}) -> true;
is_offline(_) -> false.

connected(Channels) ->
    lists:sort(
        fun({_, A}, {_, B}) -> connected_at(A) >= connected_at(B) end,
        [{Pid, Info} || {Pid, #{conn_state := connected} = Info} <- Channels]
    ).

connected_at(Info) ->
    maps:get(connected_at, maps:get(conninfo, Info, #{}), 0).

forward(Node, #{key := Key, request := Request} = Job) ->
    ok = tightbeam_pending:bind(Key, Node),
    Fields = maps:without([deadline, missed], Job),
    tightbeam_wire:cast(Node, name(worker(Request)), deliver, Fields#{remaining => remaining(Job)}).

authorize(Pid, #{clientinfo := ClientInfo} = Info, #{msg := Msg, request := #{qos := QoS}} = Job) ->
    Allowed = tightbeam_authz:is_allowed(Pid, ClientInfo, emqx_message:topic(Msg), QoS),
    Receiver = #{
        mountpoint => maps:get(mountpoint, ClientInfo, undefined),
        max_packet_size => max_packet_size(maps:get(conninfo, Info, #{}))
    },
    judged(Allowed, Pid, Receiver, Job).

max_packet_size(#{proto_ver := 5, conn_props := #{'Maximum-Packet-Size' := Max}}) -> Max;
max_packet_size(_) -> infinity.

judged(true, Pid, Receiver, Job) ->
    ok = send(Pid, Receiver, Job),
    true;
judged(false, _Pid, _Receiver, #{key := Key}) ->
    ok = tightbeam_pending:complete(Key, receiver_not_authorized),
    true.

send(Pid, Receiver, #{key := Key, msg := Msg, request := Request, received := Received} = Job) ->
    case remaining(Job) of
        Remaining when Remaining > 0 ->
            Direct = tightbeam_message:make(Msg, Request, #{
                key => Key,
                remaining => Remaining,
                received => Received,
                mountpoint => maps:get(mountpoint, Receiver)
            }),
            case tightbeam_message:fits(Direct, maps:get(max_packet_size, Receiver)) of
                true -> hand_over(Pid, Direct, Receiver, Job);
                false -> tightbeam_pending:complete(Key, payload_too_large)
            end;
        _ ->
            %% Authorization took longer than the sender waits; the deadline has answered.
            ok
    end.

%% The channel delivers under the direct topic, to which nobody can be subscribed: with the delivered
%% topic a subscription of the device to it would change the QoS and add its subscription identifier.
hand_over(Pid, Direct, Receiver, #{key := Key, msg := Msg, deadline := Deadline, request := #{clientid := ClientId}}) ->
    IsNew = tightbeam_inflight:add(Pid, Key, Deadline, Receiver),
    _ = Pid ! {deliver, emqx_message:topic(Msg), Direct},
    %% It may have disconnected before the entry could be seen by the callback that ends it.
    case is_connected(IsNew, ClientId, Pid) of
        true -> ok;
        false -> tightbeam_inflight:gone(Pid)
    end.

%% That callback knows only of connections that have had a message before.
is_connected(known, _ClientId, Pid) ->
    is_map(tightbeam_inflight:receiver(Pid));
is_connected(new, ClientId, Pid) ->
    case emqx_cm:do_get_chan_info(ClientId, Pid) of
        #{conn_state := connected} -> true;
        _ -> false
    end.

remaining(#{deadline := Deadline}) ->
    Deadline - erlang:monotonic_time(millisecond).
