%% @doc Callbacks in the receiver's connection.
-module(tightbeam_receiver).

-export([on_delivered/2, on_completed/2, on_acked/2, on_delivery_dropped/3, on_disconnected/3]).

%% The reason code of a PUBACK whose properties have yet to come.
-define(REJECTED, '$tightbeam_rejected').
%% Bytes that are kept of what a device says.
-define(MAX_REASON, 256).

%% @doc The message is about to be written to the receiver's connection.
-spec on_delivered(term(), term()) -> ok | {ok, term()}.
on_delivered(_ClientInfo, Msg) ->
    case tightbeam_message:tag(Msg) of
        undefined ->
            ok;
        #{confirm := delivered, key := Key, identity := Identity} = Tag ->
            ok = tightbeam_settle:outcome(Key, Identity, dispatched, #{written => yes}),
            {ok, tightbeam_message:restore_expiry(Tag, Msg)};
        #{key := Key, identity := Identity} = Tag ->
            ok = tightbeam_inflight:written(Key, Identity),
            ok = tightbeam_answers:written(Tag),
            {ok, tightbeam_message:restore_expiry(Tag, Msg)}
    end.

%% @doc The receiver's PUBACK (section 3.4) has come: the sender's follows. EMQX 6.0 and later say its reason code; before,
%% any counts. Then there is room for another message.
-spec on_completed(term(), map()) -> ok.
on_completed(Msg, #{clientid := ClientId} = Info) ->
    case tightbeam_message:tag(Msg) of
        undefined -> ok;
        #{confirm := delivered} -> ok;
        #{} = Tag -> completed(Tag, maps:get(reason_code, Info, 0))
    end,
    case tightbeam_waiting:is_blocked(self()) of
        true -> tightbeam_delivery:room(ClientId, self());
        false -> ok
    end.

completed(#{key := Key}, Code) when Code >= 16#80 ->
    _ = put(?REJECTED, {Key, Code}),
    ok;
completed(#{key := Key, identity := Identity} = Tag, _Success) ->
    case tightbeam_inflight:find(Key) of
        %% This is the PUBCOMP of an exchange that began with a PUBREC.
        #{state := refused} -> ok;
        _ -> tightbeam_answers:acknowledged(Tag) orelse tightbeam_settle:outcome(Key, Identity, delivered, #{written => yes})
    end.

%% @doc After `delivery.completed' of the same PUBACK, with its properties (6.0 and later). Without it, it was a PUBREC:
%% in answer to QoS 1 a protocol error (section 4.3.2), and no confirmation.
-spec on_acked(term(), term()) -> ok.
on_acked(_ClientInfo, Msg) ->
    case tightbeam_message:tag(Msg) of
        #{confirm := acked, key := Key, identity := Identity} ->
            case erase(?REJECTED) of
                {Key, Code} ->
                    Said = maps:get('Reason-String', emqx_message:get_header(puback_props, Msg, #{}), undefined),
                    tightbeam_settle:outcome(Key, Identity, rejected, rejection(Code, Said));
                _ ->
                    refused(tightbeam_inflight:find(Key))
            end;
        _ ->
            ok
    end.

rejection(Code, Said) when is_binary(Said) ->
    #{written => yes, code => Code, reason_string => binary:part(Said, 0, min(byte_size(Said), ?MAX_REASON))};
rejection(Code, _NotSaid) ->
    #{written => yes, code => Code}.

refused(#{key := Key, state := {written, _}}) ->
    tightbeam_metrics:inc('tightbeam.direct.pubrec'),
    _ = tightbeam_inflight:set_state(Key, refused),
    ok;
refused(_) ->
    ok.

-spec on_delivery_dropped(map(), term(), atom()) -> ok.
on_delivery_dropped(ClientInfo, Msg, Reason) ->
    case tightbeam_message:tag(Msg) of
        undefined -> ok;
        #{key := Key, identity := Identity} -> tightbeam_settle:outcome(Key, Identity, dropped(Reason, ClientInfo), #{})
    end.

dropped(expired, _) ->
    puback_timeout;
dropped(no_local, _) ->
    receiver_not_authorized;
dropped(qos0_msg, #{clientid := ClientId}) ->
    %% A session without a connection keeps no QoS 0 message; nor does a connection that cannot write (6.3).
    case emqx_cm:do_get_chan_info(ClientId, self()) of
        #{conn_state := connected} -> receiver_throttled;
        _ -> receiver_disconnected
    end;
dropped(_QueueFull, _) ->
    receiver_throttled.

%% @doc A connection whose session is taken over hands its unacknowledged messages to the next one
%% (section 4.4), whose PUBACK then confirms them: the deadline decides, not the takeover.
-spec on_disconnected(map(), term(), term()) -> ok.
on_disconnected(#{clientid := ClientId}, takenover, _ConnInfo) ->
    tightbeam_answers:moves(ClientId),
    tightbeam_inflight:taken_over(ClientId, self());
on_disconnected(#{clientid := ClientId}, _Reason, _ConnInfo) ->
    tightbeam_answers:moves(ClientId),
    tightbeam_inflight:gone(self()).
