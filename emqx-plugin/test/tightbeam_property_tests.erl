%% Random interleavings of everything that can happen to deliveries with an identity. Whatever the order: one answer for
%% each sender; no success without the device's PUBACK; no second PUBLISH of an identity while the connection lives that
%% has the first.
-module(tightbeam_property_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [ack/2, ack/4, connected/3, disconnect/2, in/2, maybe_got/2, receiver/3, service/4]).

-define(ROUNDS, 40).
-define(STEPS, 60).
-define(IDS, 4).

%% sent: {Packet, Id} of each sender; unacked: what the device has and has not answered; acked: identities that the device
%% has acknowledged; written: {Id, Connection}; gone: connections that have ended.
-record(world, {clientid, dev, sent = [], unacked = [], acked = [], written = [], gone = []}).

plugin_test_() ->
    tightbeam_channels:with_plugin([{"deliveries with an identity hold what they promise, in any order of events", {timeout, 120, fun property/0}}]).

property() ->
    [interleaving(N) || N <- lists:seq(1, ?ROUNDS)].

interleaving(N) ->
    _ = rand:seed(exsss, {N, 2, 3}),
    ClientId = <<"d", (integer_to_binary(N))/binary>>,
    World0 = #world{clientid = ClientId, dev = receiver(ClientId, #{}, 1 + rand:uniform(3))},
    {World, Steps} = lists:foldl(
        fun(_, {W, Done}) ->
            Step = step(),
            {look(do(Step, W)), [Step | Done]}
        end,
        {World0, []},
        lists:seq(1, ?STEPS)
    ),
    Ended = look(do(disconnect, World)),
    try
        check(Ended)
    catch
        error:Reason -> error({interleaving, N, lists:reverse(Steps), Reason})
    end.

step() ->
    lists:nth(rand:uniform(13), [
        {send, rand:uniform(?IDS), rand:uniform(30)}, {send, rand:uniform(?IDS), rand:uniform(30)}, {send, rand:uniform(?IDS), 15000},
        {send, rand:uniform(?IDS), 15000}, ack, ack, ack, reject, disconnect, takeover, {window, rand:uniform(4) - 1}, {pause, rand:uniform(15)}, sweep
    ]).

do({send, Id, Timeout}, #world{clientid = ClientId, sent = Sent} = W) ->
    Topic = <<"$dm/", ClientId/binary, "/", (integer_to_binary(Id))/binary>>,
    Packet = service(Topic, <<"alice">>, integer_to_binary(Id), [{<<"dm-timeout-ms">>, integer_to_binary(Timeout)}]),
    W#world{sent = [{Packet, Id} | Sent]};
do(ack, #world{dev = Dev, unacked = [Msg | Rest], acked = Acked} = W) ->
    ok = ack(Dev, Msg),
    W#world{unacked = Rest, acked = [id(Msg) | Acked]};
do(reject, #world{dev = Dev, unacked = [Msg | Rest], acked = Acked} = W) ->
    ok = ack(Dev, Msg, 16#97, #{}),
    %% An EMQX that does not tell the code makes it an acknowledgement.
    case tightbeam_emqx:has_hook_point('client.handle_info') of
        true -> W#world{unacked = Rest};
        false -> W#world{unacked = Rest, acked = [id(Msg) | Acked]}
    end;
do(disconnect, #world{dev = Dev, clientid = ClientId, gone = Gone} = W0) ->
    W = look(W0),
    ok = disconnect(Dev, normal),
    emqx_cm:delete_channel(ClientId, Dev),
    exit(Dev, kill),
    W#world{dev = receiver(ClientId, #{}, 2), unacked = [], gone = [Dev | Gone]};
do(takeover, #world{dev = Old, clientid = ClientId, gone = Gone} = W0) ->
    New = receiver(ClientId, #{}, 3),
    ok = disconnect(Old, takenover),
    %% What it had written goes on, and is sent again (DUP), which is no second PUBLISH.
    #world{unacked = Unacked, written = Written} = W = look(W0),
    emqx_cm:delete_channel(ClientId, Old),
    exit(Old, kill),
    [in(New, fun() -> emqx_hooks:run_fold('message.delivered', [#{clientid => ClientId}], Msg) end) || Msg <- Unacked],
    in(New, fun() -> put(inflight, length(Unacked)) end),
    Moved = [
        case lists:member(Id, [id(M) || M <- Unacked]) andalso Dev =:= Old of
            true -> {Id, New};
            false -> {Id, Dev}
        end
     || {Id, Dev} <- Written
    ],
    W#world{dev = New, written = Moved, gone = [Old | Gone]};
do({window, Size}, #world{dev = Dev} = W) ->
    in(Dev, fun() -> put(window, Size) end),
    ok = tightbeam_delivery:room(W#world.clientid, Dev),
    W;
do({pause, Milliseconds}, W) ->
    timer:sleep(Milliseconds),
    W;
do(sweep, W) ->
    [P ! sweep || P <- [tightbeam_inflight, tightbeam_identity]],
    W;
do(_NothingToAnswer, W) ->
    W.

id(Msg) -> binary_to_integer(emqx_message:topic(Msg)).

%% What the device has got since the last look.
look(#world{dev = Dev, unacked = Unacked, written = Written, gone = Gone} = W) ->
    case maybe_got(Dev, 1) of
        none ->
            W;
        {_, Msg} ->
            Id = id(Msg),
            %% Whoever had it before is no longer there, or has refused it.
            [?assert(lists:member(Holder, Gone) orelse not lists:member(Id, [id(M) || M <- Unacked])) || {I, Holder} <- Written, I =:= Id],
            look(W#world{unacked = Unacked ++ [Msg], written = [{Id, Dev} | Written]})
    end.

%% The rest is decided by deadlines: all short ones, and all that was in the hands of a connection that is gone.
check(#world{sent = Sent, acked = Acked, dev = Dev, clientid = ClientId}) ->
    emqx_cm:delete_channel(ClientId, Dev),
    exit(Dev, kill),
    lists:foreach(
        fun({Packet, Id}) ->
            case tightbeam_channels:answer(Packet) of
                0 -> ?assert(lists:member(Id, Acked));
                Code -> ?assert(Code >= 16#80)
            end
        end,
        Sent
    ),
    timer:sleep(5),
    [?assertEqual(none, tightbeam_channels:told(Packet)) || {Packet, _} <- Sent].
