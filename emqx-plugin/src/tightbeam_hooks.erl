%% @doc The plugin's callbacks in EMQX. What is hooked here is unhooked here; the callbacks on ordinary
%% traffic do one look at the topic or at a header and leave.
-module(tightbeam_hooks).

-export([hook/0, unhook/0, missing/0]).
-export([
    on_publish/1,
    on_puback/4,
    on_delivered/2,
    on_acked/2,
    on_delivery_dropped/3,
    on_disconnected/3,
    on_authorize/4,
    on_authz_complete/5
]).

%% EMQX's own: highest 1000, rewrite 980, authentication 970, authorization 960, retainer 930, rule
%% engine 900, delayed publish 860, ExHook 100.
-define(FIRST, 1000).
-define(AFTER_EXHOOK, 50).
-define(DECISION, '$tightbeam_decision').

callbacks() ->
    [
        {'message.publish', {?MODULE, on_publish, []}, ?FIRST},
        {'message.puback', {?MODULE, on_puback, []}, ?FIRST},
        {'message.delivered', {?MODULE, on_delivered, []}, ?FIRST},
        {'message.acked', {?MODULE, on_acked, []}, ?FIRST},
        {'delivery.dropped', {?MODULE, on_delivery_dropped, []}, ?FIRST},
        {'client.disconnected', {?MODULE, on_disconnected, []}, ?FIRST},
        {'client.authorize', {?MODULE, on_authorize, []}, ?FIRST},
        {'client.check_authz_complete', {?MODULE, on_authz_complete, []}, ?FIRST},
        {'client.authenticate', {tightbeam_guard, on_authenticate, []}, ?AFTER_EXHOOK},
        {'client.authorize', {tightbeam_guard, on_authorize, []}, ?AFTER_EXHOOK}
    ].

-spec hook() -> ok.
hook() ->
    lists:foreach(fun({Name, Action, Priority}) -> ok = emqx_hooks:put(Name, Action, Priority) end, callbacks()).

%% @doc Returns when EMQX has let go of all of them: the code may be unloaded after this.
-spec unhook() -> ok.
unhook() ->
    lists:foreach(fun({Name, {M, F, _}, _}) -> ok = emqx_hooks:del(Name, {M, F}) end, callbacks()),
    wait_until_gone(100).

wait_until_gone(0) ->
    logger:error(#{msg => "tightbeam_hooks_left", hooks => callbacks()});
wait_until_gone(N) ->
    case length(missing()) =:= length(callbacks()) of
        true ->
            ok;
        false ->
            timer:sleep(10),
            wait_until_gone(N - 1)
    end.

%% @doc Callbacks that EMQX does not know (any more).
-spec missing() -> [{atom(), module()}].
missing() ->
    [
        {Name, M}
     || {Name, {M, F, _} = Action, _} <- callbacks(),
        not lists:any(
            fun(C) ->
                A = emqx_hooks:callback_action(C),
                A =:= Action orelse A =:= {M, F}
            end,
            emqx_hooks:lookup(Name)
        )
    ].

%%--------------------------------------------------------------------
%% The sender's side
%%--------------------------------------------------------------------

%% @doc Takes direct messages out of EMQX's hands before it could route, retain, delay or show them
%% to a rule. QoS 1 is dispatched from {@link on_puback/4}, where the packet identifier is known.
-spec on_publish(term()) -> ok | {stop, term()}.
on_publish(Msg) ->
    case tightbeam_topic:is_direct(emqx_message:topic(Msg)) of
        false -> ok;
        true -> {stop, direct(Msg)}
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
            _ = put(?DECISION, {emqx_message:id(Msg), {answer, tightbeam_outcome:code(Outcome)}}),
            Blocked;
        close ->
            _ = put(?DECISION, {emqx_message:id(Msg), {answer, undefined}}),
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
-spec on_puback(term(), term(), term(), term()) -> ok | {stop, undefined | 0..255}.
on_puback(PacketId, Msg, _PubRes, _Code) ->
    case tightbeam_topic:is_direct(emqx_message:topic(Msg)) of
        false ->
            ok;
        true ->
            Id = emqx_message:id(Msg),
            case erase(?DECISION) of
                {Id, {dispatch, Request}} -> {stop, dispatch(PacketId, Request, Msg)};
                {Id, {answer, Code}} -> {stop, Code};
                %% The publish passed our callback by (the plugin is being started or stopped, or
                %% another callback ended the chain first): nothing was sent to the device.
                _ -> {stop, tightbeam_outcome:code(stopped)}
            end
    end.

dispatch(PacketId, #{timeout := Timeout, qos := QoS} = Request, Msg) ->
    Report = tightbeam_report:subject(Msg, QoS),
    case tightbeam_pending:open(#{packet_id => PacketId, timeout => Timeout, report => Report}) of
        {ok, Key} ->
            ok = tightbeam_delivery:dispatch(Key, Msg, Request),
            undefined;
        {error, Outcome} ->
            refused(Outcome, emqx_message:from(Msg), emqx_message:topic(Msg), Report),
            tightbeam_outcome:code(Outcome)
    end.

%%--------------------------------------------------------------------
%% The receiver's side
%%--------------------------------------------------------------------

%% @doc The message is about to be written to the receiver's connection.
-spec on_delivered(term(), term()) -> ok | {ok, term()}.
on_delivered(_ClientInfo, Msg) ->
    case tightbeam_message:tag(Msg) of
        undefined ->
            ok;
        #{confirm := delivered, key := Key} = Tag ->
            ok = finish(Key, dispatched),
            {ok, tightbeam_message:restore_expiry(Tag, Msg)};
        Tag ->
            {ok, tightbeam_message:restore_expiry(Tag, Msg)}
    end.

%% @doc The receiver's PUBACK (section 3.4) has come: the sender's follows. EMQX calls this for every
%% PUBACK and does not say its reason code.
-spec on_acked(term(), term()) -> ok.
on_acked(_ClientInfo, Msg) ->
    case tightbeam_message:tag(Msg) of
        undefined -> ok;
        #{key := Key} -> finish(Key, delivered)
    end.

-spec on_delivery_dropped(term(), term(), atom()) -> ok.
on_delivery_dropped(_ClientInfo, Msg, Reason) ->
    case tightbeam_message:tag(Msg) of
        undefined -> ok;
        #{key := Key} -> finish(Key, dropped(Reason))
    end.

dropped(expired) -> puback_timeout;
dropped(qos0_msg) -> receiver_disconnected;
dropped(no_local) -> receiver_not_authorized;
dropped(_QueueFull) -> receiver_throttled.

finish(Key, Outcome) ->
    ok = tightbeam_inflight:remove(self(), Key),
    tightbeam_pending:complete(Key, Outcome).

%% @doc A connection whose session is taken over hands its unacknowledged messages to the next one
%% (section 4.4), whose PUBACK then confirms them: the deadline decides, not the takeover.
-spec on_disconnected(term(), term(), term()) -> ok.
on_disconnected(_ClientInfo, takenover, _ConnInfo) ->
    tightbeam_inflight:abandon(self());
on_disconnected(_ClientInfo, _Reason, _ConnInfo) ->
    tightbeam_inflight:gone(self()).

%%--------------------------------------------------------------------
%% Authorization
%%--------------------------------------------------------------------

%% @doc Nobody may really subscribe under `$dm/'. A PUBLISH to a direct topic goes on to whoever
%% decides, with three exceptions: a malformed topic passes, to be answered 0x90 by {@link
%% on_publish/1}; a client with a mountpoint has no topics but its own; and QoS 2 from an MQTT 5 client
%% is denied here, the only place where its PUBREC can still be given a reason code (section 3.5.2.1).
-spec on_authorize(map(), term(), term(), term()) -> ok | {stop, map()}.
on_authorize(ClientInfo, Action, Topic, _Default) ->
    case Action of
        #{action_type := subscribe} -> on_authorize_subscribe(Topic);
        #{action_type := publish} -> on_authorize_publish(ClientInfo, Action, Topic);
        _ -> ok
    end.

on_authorize_subscribe(Filter) ->
    case tightbeam_topic:is_reserved_filter(Filter) andalso not tightbeam_authz:is_asking() of
        true -> decision(deny);
        false -> ok
    end.

on_authorize_publish(ClientInfo, Action, <<"$dm/", _/binary>> = Topic) ->
    case {maps:get(mountpoint, ClientInfo, undefined), is_qos2_of_mqtt5(ClientInfo, Action)} of
        {Mountpoint, _} when is_binary(Mountpoint), Mountpoint =/= <<>> ->
            decision(deny);
        {_, true} ->
            decision(deny);
        _ ->
            case tightbeam_topic:parse(Topic) of
                {ok, _} -> ok;
                {error, _} -> decision(allow)
            end
    end;
on_authorize_publish(_ClientInfo, _Action, _Topic) ->
    ok.

is_qos2_of_mqtt5(#{clientid := ClientId}, #{qos := 2}) ->
    case emqx_cm:do_get_chan_info(ClientId, self()) of
        #{conninfo := #{proto_ver := 5}} -> true;
        _ -> false
    end;
is_qos2_of_mqtt5(_, _) ->
    false.

%% @doc A PUBLISH to a direct topic that was refused is an outcome too, and here the only place where
%% all refusals come by: EMQX asks nobody about what it remembers (`authorization.cache'). Not
%% reported are those of ExHook: the service has just made them.
-spec on_authz_complete(map(), term(), term(), allow | deny, term()) -> ok.
on_authz_complete(ClientInfo, Action, <<"$dm/", _/binary>> = Topic, deny, Source) when Source =/= exhook ->
    case Action of
        #{action_type := publish} ->
            Outcome =
                case is_qos2_of_mqtt5(ClientInfo, Action) of
                    true -> invalid_parameter;
                    false -> sender_not_authorized
                end,
            Subject = tightbeam_report:refused_subject(ClientInfo, maps:get(qos, Action, undefined), Topic),
            refused(Outcome, maps:get(clientid, ClientInfo), Topic, Subject);
        _ ->
            ok
    end;
on_authz_complete(_ClientInfo, _Action, _Topic, _Result, _Source) ->
    ok.

decision(Result) ->
    {stop, #{result => Result, from => tightbeam}}.
