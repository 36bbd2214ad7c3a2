%% @doc Every outcome of a direct message, once: its reason (the service's, and the PUBACK's Reason String), its PUBACK reason code (MQTT 5 section
%% 3.4.2.1) and its counter. All failures are 0x80 or more: common clients take 0x10 for success.
%% A payload that is too large for the receiver gets 0x99: 0x95 (Packet too large) is not allowed in a
%% PUBACK, clients close the connection when they see it there, and 0x99 is the one allowed code that
%% speaks of the payload.
-module(tightbeam_outcome).

-export([all/0, code/1, reason/1, counter/1, known/1, is_final/1]).

-export_type([outcome/0]).

-type outcome() ::
    delivered
    | dispatched
    | rejected
    | answered
    | acknowledged_not_answered
    | response_too_large
    | key_reused
    | invalid_client_id
    | invalid_topic
    | reserved_topic
    | invalid_parameter
    | sender_not_authorized
    | receiver_not_authorized
    | client_not_connected
    | client_offline_with_session
    | payload_too_large
    | receiver_throttled
    | broker_busy
    | puback_timeout
    | receiver_disconnected
    | other_version
    | failed
    | stopped.

-spec all() -> [{outcome(), 0..255, binary()}].
all() ->
    [
        {delivered, 16#00, <<"DELIVERED">>},
        {dispatched, 16#00, <<"DISPATCHED">>},
        %% The device's own code is one that a PUBACK may carry and would be read as one of ours (all of those are), or one
        %% that it may not.
        {rejected, 16#80, <<"RECEIVER_REJECTED">>},
        %% Of requests, which are the service's own.
        {answered, 16#00, <<"ANSWERED">>},
        {acknowledged_not_answered, 16#80, <<"ACKNOWLEDGED_NOT_ANSWERED">>},
        {response_too_large, 16#80, <<"RESPONSE_TOO_LARGE">>},
        {key_reused, 16#91, <<"IDEMPOTENCY_KEY_REUSED">>},
        {invalid_client_id, 16#90, <<"INVALID_CLIENT_ID">>},
        {invalid_topic, 16#90, <<"INVALID_TOPIC">>},
        {reserved_topic, 16#90, <<"RESERVED_TOPIC">>},
        {invalid_parameter, 16#90, <<"INVALID_PARAMETER">>},
        {sender_not_authorized, 16#87, <<"SENDER_NOT_AUTHORIZED">>},
        {receiver_not_authorized, 16#87, <<"RECEIVER_NOT_AUTHORIZED">>},
        {client_not_connected, 16#90, <<"CLIENT_NOT_CONNECTED">>},
        {client_offline_with_session, 16#83, <<"CLIENT_OFFLINE_WITH_SESSION">>},
        {payload_too_large, 16#99, <<"PAYLOAD_TOO_LARGE">>},
        {receiver_throttled, 16#97, <<"RECEIVER_THROTTLED">>},
        {broker_busy, 16#97, <<"RECEIVER_THROTTLED">>},
        {puback_timeout, 16#80, <<"PUBACK_TIMEOUT">>},
        {receiver_disconnected, 16#80, <<"RECEIVER_DISCONNECTED">>},
        %% Another node has a plugin of another version.
        {other_version, 16#80, <<"DELIVERY_PLUGIN_MISSING">>},
        %% A defect of the plugin.
        {failed, 16#80, <<"INTERNAL_ERROR">>},
        %% The plugin stops, or has not yet started.
        {stopped, 16#80, <<"BROKER_UNAVAILABLE">>}
    ].

-spec code(outcome()) -> 0..255.
code(Outcome) ->
    {_, Code, _} = lists:keyfind(Outcome, 1, all()),
    Code.

-spec reason(outcome()) -> binary().
reason(Outcome) ->
    {_, _, Reason} = lists:keyfind(Outcome, 1, all()),
    Reason.

-spec counter(outcome()) -> atom().
counter(Outcome) ->
    list_to_atom("tightbeam.direct." ++ atom_to_list(Outcome)).

%% @doc An outcome that another node told; that of a later plugin may be unknown here.
-spec known(term()) -> outcome().
known(Outcome) ->
    case lists:keymember(Outcome, 1, all()) of
        true -> Outcome;
        false -> failed
    end.

%% @doc The device has answered, or no answer was asked for: that is the answer to every repeat.
-spec is_final(outcome()) -> boolean().
is_final(Outcome) ->
    lists:member(Outcome, [delivered, dispatched, rejected, answered, response_too_large]).
