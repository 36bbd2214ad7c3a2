%% @doc Callbacks in the receiver's connection.
-module(tightbeam_receiver).

-export([on_delivered/2, on_acked/2, on_delivery_dropped/3, on_disconnected/3]).

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

-spec on_delivery_dropped(map(), term(), atom()) -> ok.
on_delivery_dropped(ClientInfo, Msg, Reason) ->
    case tightbeam_message:tag(Msg) of
        undefined -> ok;
        #{key := Key} -> finish(Key, dropped(Reason, ClientInfo))
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

finish(Key, Outcome) ->
    ok = tightbeam_inflight:remove(self(), Key),
    tightbeam_pending:complete(Key, Outcome).

%% @doc A connection whose session is taken over hands its unacknowledged messages to the next one
%% (section 4.4), whose PUBACK then confirms them: the deadline decides, not the takeover.
-spec on_disconnected(map(), term(), term()) -> ok.
on_disconnected(#{clientid := ClientId}, takenover, _ConnInfo) ->
    tightbeam_inflight:taken_over(ClientId, self());
on_disconnected(_ClientInfo, _Reason, _ConnInfo) ->
    tightbeam_inflight:gone(self()).
