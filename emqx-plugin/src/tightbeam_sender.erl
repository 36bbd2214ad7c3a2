%% @doc Callbacks in the sender's connection.
-module(tightbeam_sender).

-export([on_publish/1, on_puback/4, refused/4]).

-define(DECISION, '$tightbeam_decision').

%% @doc Takes direct messages out of EMQX's hands before it could route, retain, delay or show them
%% to a rule. QoS 1 is dispatched from {@link on_puback/4}, where the packet identifier is known.
-spec on_publish(term()) -> ok | {stop, term()}.
on_publish(Msg) ->
    case tightbeam_topic:kind(emqx_message:topic(Msg)) of
        ordinary -> ordinary(Msg);
        direct -> {stop, direct(Msg)};
        lifecycle -> lifecycle(Msg)
    end.

ordinary(Msg) ->
    _ = tightbeam_answers:count() =:= 0 orelse tightbeam_answers:published(Msg),
    ok.

%% A will, a rule, a bridge or the REST API: clients are refused before (tightbeam_access).
lifecycle(Msg) ->
    case tightbeam_presence:is_publishing() of
        true ->
            ok;
        false ->
            logger:warning(#{
                msg => "tightbeam_lifecycle_event_of_another",
                topic => emqx_message:topic(Msg),
                from => emqx_message:from(Msg)
            }),
            {stop, emqx_message:set_header(allow_publish, false, Msg)}
    end.

direct(Msg) ->
    Blocked = emqx_message:set_header(allow_publish, false, Msg),
    case tightbeam_request:is_own_publish(Msg) of
        false ->
            tightbeam_metrics:inc('tightbeam.direct.not_from_client'),
            logger:warning(#{
                msg => "tightbeam_direct_message_without_client",
                topic => emqx_message:topic(Msg),
                from => emqx_message:from(Msg)
            }),
            Blocked;
        true ->
            tightbeam_metrics:inc('tightbeam.direct.received'),
            decided(tightbeam_request:parse(Msg), emqx_message:qos(Msg), Msg, Blocked)
    end.

decided({ok, #{withdraw := PacketId}}, 0, _Msg, Blocked) ->
    ok = withdraw(tightbeam_pending:of_packet(PacketId)),
    Blocked;
decided({ok, Request}, 0, Msg, Blocked) ->
    _ = dispatch(undefined, Request, Msg),
    Blocked;
decided({ok, Request}, 1, Msg, Blocked) ->
    _ = put(?DECISION, {emqx_message:id(Msg), {dispatch, Request}}),
    Blocked;
decided({refuse, {Manner, Outcome}}, QoS, Msg, Blocked) ->
    refused(Outcome, emqx_message:from(Msg), emqx_message:topic(Msg), tightbeam_report:subject(Msg, QoS)),
    case Manner of
        silent ->
            Blocked;
        answer ->
            _ = put(?DECISION, {emqx_message:id(Msg), {answer, Outcome}}),
            Blocked;
        close ->
            _ = put(?DECISION, {emqx_message:id(Msg), none}),
            close(QoS, Blocked)
    end.

%% No acknowledgement, and the connection is closed (section 4.13). EMQX 5.7 and later do both for a message with this
%% header, which came with the hook point `schema.validation_failed'. Before, a QoS 1 PUBLISH can be left without PUBACK
%% and the channel told to disconnect (0x83, implementation specific error); the PUBREC of a QoS 2 PUBLISH can only be
%% kept back by ending the process.
close(QoS, Blocked) ->
    case tightbeam_emqx:has_hook_point('schema.validation_failed') of
        true ->
            emqx_message:set_header(should_disconnect, true, Blocked);
        false when QoS =:= 1 ->
            _ = self() ! {disconnect, 16#83, tightbeam_refused, #{}},
            Blocked;
        false ->
            exit(self(), kill),
            Blocked
    end.

%% @doc Counts, logs and reports a refusal.
-spec refused(tightbeam_outcome:outcome(), binary(), binary(), tightbeam_report:subject()) -> ok.
refused(Outcome, From, Topic, Subject) ->
    tightbeam_metrics:inc('tightbeam.direct.refused'),
    tightbeam_metrics:inc(tightbeam_outcome:counter(Outcome)),
    logger:info(#{
        msg => "tightbeam_refused",
        reason => tightbeam_outcome:reason(Outcome),
        from => From,
        topic => Topic
    }),
    tightbeam_report:send(Subject, Outcome, 0).

%% @doc Withholds the PUBACK until the outcome is known: `undefined' makes the channel send none.
-spec on_puback(term(), term(), term(), term()) -> ok | {stop, undefined}.
on_puback(PacketId, Msg, _PubRes, _Code) ->
    case tightbeam_topic:kind(emqx_message:topic(Msg)) of
        Other when Other =/= direct ->
            ok;
        direct ->
            Id = emqx_message:id(Msg),
            ok =
                case erase(?DECISION) of
                    {Id, {dispatch, Request}} -> dispatch(PacketId, Request, Msg);
                    {Id, {answer, Outcome}} -> answer(PacketId, Msg, Outcome);
                    {Id, none} -> ok;
                    %% The publish passed our callback by (the plugin is being started or stopped, or
                    %% another callback ended the chain first): nothing was sent to the device.
                    _ -> answer(PacketId, Msg, stopped)
                end,
            {stop, undefined}
    end.

%% The service does not wait for that client any more.
withdraw({ok, Key}) ->
    ok = tightbeam_connection_waits:withdraw(Key),
    tightbeam_pending:complete(Key, client_not_connected, #{written => no});
withdraw(none) ->
    ok.

dispatch(PacketId, #{timeout := Timeout, qos := QoS} = Request, Msg) ->
    Report = tightbeam_report:subject(Msg, QoS),
    Entry = #{
        clientid => emqx_message:from(Msg), packet_id => PacketId, timeout => Timeout, report => Report, wait => tightbeam_request:wait_ms(Request),
        is_service => tightbeam_request:is_service(Msg)
    },
    case tightbeam_pending:open(Entry) of
        {ok, Key} ->
            tightbeam_delivery:dispatch(Key, Msg, Request);
        {error, Outcome} ->
            ok = refused(Outcome, emqx_message:from(Msg), emqx_message:topic(Msg), Report),
            answer(PacketId, Msg, Outcome)
    end.

answer(undefined, _Msg, _Outcome) ->
    ok;
answer(PacketId, Msg, Outcome) ->
    Sender = #{channel => self(), clientid => emqx_message:from(Msg), packet_id => PacketId, is_service => false},
    tightbeam_puback:send(Sender, Outcome, #{}).
