%% The plugin, hooked into a stand-in of EMQX, and what its tests have in common: senders and receivers, which are processes
%% that do what a connection does.
-module(tightbeam_channels).
-include_lib("eunit/include/eunit.hrl").

-compile([export_all, nowarn_export_all]).

%% Milliseconds to wait for what has to come: on a busy machine it takes its time.
-define(TIMEOUT, 20000).

with_plugin(Tests) ->
    {foreach, fun setup/0, fun cleanup/1, [timed(Test) || Test <- Tests]}.

timed({Title, {timeout, Seconds, Test}}) -> {Title, {timeout, Seconds, Test}};
timed({Title, Test}) -> {Title, {timeout, 60, Test}}.

setup() ->
    Owner = spawn(fun() ->
        emqx_cm:start(),
        emqx_hooks:start(),
        emqx_metrics:start(),
        receive stop -> ok end
    end),
    wait(fun() -> ets:info(emqx_metrics) =/= undefined end),
    emqx:set_config([authorization, cache], #{enable => true, ttl => 60000}),
    emqx:set_config([authorization, no_match], allow),
    emqx:set_config([exhook, servers], []),
    emqx_exhook_handler:set(undefined, 0),
    emqx_exhook_handler:fail(false),
    tightbeam_service:reset(),
    emqx_exhook_metrics:reset(),
    emqx_exhook_mgr:set_running([<<"tightbeam">>]),
    emqx_exhook_mgr:set_failed_action(deny),
    emqx_exhook_server:set(undefined, ignore),
    {ok, _} = application:ensure_all_started(tightbeam),
    Owner.

cleanup(Owner) ->
    _ = application:stop(tightbeam),
    Ref = monitor(process, Owner),
    Owner ! stop,
    receive {'DOWN', Ref, _, _, _} -> ok end,
    flush().

%%--------------------------------------------------------------------
%% Senders: the calling process is a channel with the client ID `sender'
%%--------------------------------------------------------------------

published(Topic, QoS, Headers) ->
    emqx_cm:put_channel(<<"sender">>, self(), #{conninfo => #{conn_mod => emqx_connection}, clientinfo => #{clientid => <<"sender">>}}),
    Msg = emqx_message:make(<<"sender">>, QoS, Topic, <<"payload">>, #{}, Headers),
    {emqx_hooks:run_fold('message.publish', [], Msg), Msg}.

publish(Topic, QoS, UserProps) -> publish(Topic, QoS, UserProps, #{}).
publish(Topic, QoS, UserProps, Props) -> publish(Topic, QoS, UserProps, Props, <<"u">>).
publish(Topic, QoS, UserProps, Props, Username) ->
    Headers = #{proto_ver => 5, username => Username, peerhost => {192, 0, 2, 7}, properties => Props#{'User-Property' => UserProps}},
    {Result, Msg} = published(Topic, QoS, Headers),
    ?assertEqual(false, emqx_message:get_header(allow_publish, Result, true)),
    PacketId = 1 + erlang:unique_integer([positive]) rem 65535,
    case QoS of
        0 ->
            blocked;
        1 ->
            undefined = emqx_hooks:run_fold('message.puback', [PacketId, Msg, []], 16#10),
            PacketId
    end.

%% As the service does, for one of its callers.
service(Topic, Principal, Id, UserProps) ->
    publish(Topic, 1, [{<<"dm-principal">>, Principal}, {<<"dm-id">>, Id} | UserProps], #{}, <<"tightbeam">>).

%% What the service is told before the PUBACK of a packet, which is here already.
outcome(PacketId) ->
    Head = <<"{\"packetId\":", (integer_to_binary(PacketId))/binary, ",">>,
    receive
        {outgoing, {packet, #{topic := <<"$dm/outcome">>, qos := 0, payload := <<Head:(byte_size(Head))/binary, Rest/binary>>}}} -> <<"{", Rest/binary>>
    after 0 -> nothing
    end.

%% The code of the PUBACK; a failure names its reason, unless the sender wants none.
answer(PacketId) ->
    element(1, puback(PacketId)).

puback(PacketId) ->
    receive
        {puback, PacketId, [], Code} -> {Code, none};
        {timeout, _, {tightbeam_puback, {puback_packet, PacketId, Code, Reason}} = Message} ->
            Packet = element(2, Message),
            ?assertEqual([{outgoing, Packet}], emqx_hooks:run_fold('client.timeout', [make_ref(), Message], [])),
            {Code, Reason};
        {outgoing, {puback_packet, PacketId, Code, Reason}} ->
            {Code, Reason}
    after ?TIMEOUT -> {no_answer, none}
    end.

none(PacketId) ->
    timer:sleep(20),
    ?assertEqual(none, told(PacketId)).

told(PacketId) ->
    receive
        {puback, PacketId, _, Code} -> Code;
        {timeout, _, {_, {puback_packet, PacketId, Code, _}}} -> Code;
        {outgoing, {puback_packet, PacketId, Code, _}} -> Code
    after 0 -> none
    end.

%%--------------------------------------------------------------------
%% Receivers: a process that keeps what it is given, and runs what it is told to
%%--------------------------------------------------------------------

receiver(ClientId) -> receiver(ClientId, #{}).
receiver(ClientId, Info) -> receiver(ClientId, Info, 32).
receiver(ClientId, Info, Window) ->
    Pid = spawn(fun() ->
        _ = put(clientid, ClientId),
        _ = put(window, Window),
        _ = put(inflight, 0),
        _ = put(up, maps:get(conn_state, Info, connected) =:= connected),
        channel(queue:new())
    end),
    connected(ClientId, Pid, Info),
    Pid.

connected(ClientId, Pid, Info) ->
    Default = #{conn_state => connected, clientinfo => #{clientid => ClientId}, conninfo => #{proto_ver => 5}},
    emqx_cm:put_channel(ClientId, Pid, maps:merge(Default, Info)).

%% What EMQX's session does with a message: it says so to whom the message's header names, and the message is written.
channel(Queue) ->
    receive
        {deliver, Filter, Msg} ->
            case take(Msg) of
                written ->
                    _ = emqx_hooks:run_fold('message.delivered', [#{clientid => get(clientid)}], Msg),
                    channel(queue:in({Filter, Msg}, Queue));
                refused ->
                    channel(Queue)
            end;
        {get, From, Ref} ->
            case queue:out(Queue) of
                {{value, Item}, Rest} -> From ! {Ref, Item}, channel(Rest);
                {empty, _} -> From ! {Ref, none}, channel(Queue)
            end;
        {run, Fun, From, Ref} ->
            From ! {Ref, Fun()},
            channel(Queue)
    end.

take(Msg) ->
    Answer =
        case {get(up), emqx_message:qos(Msg), get(inflight) < get(window)} of
            {false, _, _} -> {shared_sub_nack, no_connection};
            {true, 0, _} -> shared_sub_ack;
            {true, 1, true} -> shared_sub_ack;
            {true, 1, false} -> {shared_sub_nack, dropped}
        end,
    {_Group, Sender, Ref} = emqx_message:get_header(shared_dispatch_ack, Msg, undefined),
    Sender ! {Ref, Answer},
    case Answer of
        shared_sub_ack -> _ = put(inflight, get(inflight) + emqx_message:qos(Msg)), written;
        _ -> refused
    end.

ask(Pid, Request) ->
    Ref = make_ref(),
    Pid ! erlang:append_element(erlang:append_element(Request, self()), Ref),
    receive {Ref, Answer} -> Answer after ?TIMEOUT -> error(no_channel) end.

maybe_got(Dev) -> maybe_got(Dev, 400).
maybe_got(_, 0) -> none;
maybe_got(Dev, N) ->
    case ask(Dev, {get}) of
        none -> timer:sleep(5), maybe_got(Dev, N - 1);
        Item -> Item
    end.

got(Dev) ->
    Item = maybe_got(Dev),
    ?assertNotEqual(none, Item),
    Item.

nothing(Dev) ->
    timer:sleep(30),
    case ask(Dev, {get}) of
        none -> [];
        Item -> [Item]
    end.

in(Dev, Fun) -> ask(Dev, {run, Fun}).
ack(Dev, Msg) -> ack(Dev, Msg, 0, #{}).

%% A PUBACK, as each version tells of it.
ack(Dev, Msg, Code, Props) ->
    in(Dev, fun() ->
        _ = put(inflight, max(0, get(inflight) - 1)),
        Info = #{clientid => get(clientid), session_birth_time => 1},
        TellsCode = tightbeam_emqx:has_hook_point('client.handle_info'),
        Told =
            case TellsCode of
                true -> {Info#{reason_code => Code}, emqx_message:set_header(puback_props, Props, Msg)};
                false -> {Info, Msg}
            end,
        ok = emqx_hooks:run('delivery.completed', [Msg, element(1, Told)]),
        ok = emqx_hooks:run('message.acked', [#{clientid => get(clientid)}, element(2, Told)])
    end).

%% In answer to QoS 1 a protocol error, which EMQX before 6 takes for the first half of QoS 2.
pubrec(Dev, Msg) ->
    in(Dev, fun() -> emqx_hooks:run('message.acked', [#{clientid => get(clientid)}, Msg]) end).

pubcomp(Dev, Msg) ->
    in(Dev, fun() -> emqx_hooks:run('delivery.completed', [Msg, #{clientid => get(clientid), session_birth_time => 1}]) end).

%% The process lives on, as that of a persistent session.
disconnect(Dev, Reason) ->
    in(Dev, fun() ->
        _ = put(up, false),
        ClientId = get(clientid),
        emqx_cm:put_channel(ClientId, self(), #{conn_state => disconnected}),
        emqx_hooks:run('client.disconnected', [#{clientid => ClientId}, Reason, #{}])
    end).

delivered(Dev, Msg) -> in(Dev, fun() -> emqx_hooks:run_fold('message.delivered', [#{}], Msg) end).

expires(Msg) ->
    #{timestamp := Timestamp, headers := #{properties := #{'Message-Expiry-Interval' := Seconds}}} = emqx_message:to_map(Msg),
    Timestamp + Seconds * 1000.

%%--------------------------------------------------------------------
%% The provider: a callback at ExHook's place
%%--------------------------------------------------------------------

provide(Decision) ->
    persistent_term:put(?MODULE, {self(), Decision}),
    emqx_hooks:put('client.authorize', {?MODULE, provider, []}, 100).

provider(ClientInfo, Action, Topic, _Default) ->
    {Test, Decision} = persistent_term:get(?MODULE),
    Test ! {asked, {maps:get(clientid, ClientInfo), Action, Topic}},
    case Decision of
        {after_ms, Delay, Result} ->
            timer:sleep(Delay),
            {stop, #{result => Result, from => exhook}};
        Result ->
            {stop, #{result => Result, from => exhook}}
    end.

asked() ->
    receive {asked, A} -> [A | asked()] after 20 -> [] end.

authorize(ClientInfo, Action, Topic) ->
    #{result := Result} = emqx_hooks:run_fold('client.authorize', [ClientInfo, Action, Topic], #{result => allow, from => default}),
    Result.

%% The next call of ExHook, and the reports in it. Their texts have no braces in them.
reports() ->
    receive
        {report, Msg, direct_message_outcomes} -> {Msg, reports_in(Msg)}
    after ?TIMEOUT -> error(no_report)
    end.

received_reports() ->
    receive
        {report, Msg, direct_message_outcomes} -> [reports_in(Msg) | received_reports()]
    after 0 -> []
    end.

reports_in(Msg) ->
    Payload = emqx_message:payload(Msg),
    ?assertEqual({$[, $]}, {binary:first(Payload), binary:last(Payload)}),
    {match, Found} = re:run(Payload, "\\{[^{}]*\\}", [global, {capture, first, binary}]),
    lists:append(Found).

sent(N) -> wait(fun() -> emqx_metrics:read('tightbeam.report.sent') =:= N end).

topic_of(Report) ->
    {match, [Topic]} = re:run(Report, "\"topic\":\"([^\"]*)\"", [{capture, all_but_first, binary}]),
    Topic.

qos_of(Report) ->
    case re:run(Report, "\"qos\":([0-9])", [{capture, all_but_first, binary}]) of
        {match, [QoS]} -> binary_to_integer(QoS);
        nomatch -> nomatch
    end.

keys() -> [element(2, E) || E <- ets:tab2list(tightbeam_pending)].

printed() ->
    receive {printed, L} -> [L | printed()] after 0 -> [] end.

wait(Fun) -> wait(Fun, 2000).
wait(_, 0) -> error(waited_in_vain);
wait(Fun, N) ->
    case Fun() of
        true -> ok;
        false -> timer:sleep(10), wait(Fun, N - 1)
    end.

flush() ->
    receive _ -> flush() after 0 -> ok end.
