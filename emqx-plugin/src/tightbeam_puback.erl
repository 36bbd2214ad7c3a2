%% @doc The sender's PUBACK, and its way to the sender's connection. A success is sent as EMQX lets a callback send it
%% later. That way knows no properties, so a failure, which names its reason in the Reason String (MQTT 5 section
%% 3.4.2.2.2), is made here and handed to the connection to be written as it is.
-module(tightbeam_puback).

-export([send/3, on_timeout/3]).

-export_type([sender/0]).

-type sender() :: #{channel := pid(), clientid := binary(), packet_id := 1..65535, is_service := boolean()}.

-define(VERSION, 5).
-define(PUBACK, 4).
-define(REASON_STRING, 16#1F).
%% Where the service learns what a PUBACK cannot carry. No client can subscribe to it or publish on it.
-define(OUTCOME_TOPIC, <<"$dm/outcome">>).

%% @doc To a connection of this node, from any process. To the service goes, before it, what there is to tell beyond:
%% `written' (yes, no, unknown), `code' and `reason_string' of the device, `trace_id' of the first attempt, `joined',
%% `earlier_written'.
-spec send(sender(), tightbeam_outcome:outcome(), map()) -> ok.
send(#{channel := Channel, packet_id := PacketId} = Sender, Outcome, Details) ->
    tell(Sender, Outcome, Details),
    case tightbeam_outcome:code(Outcome) of
        Code when Code < 16#80 -> plain(Channel, PacketId, Code);
        _ -> failure(Sender, Outcome)
    end.

plain(Channel, PacketId, Code) ->
    _ = Channel ! {puback, PacketId, [], Code},
    ok.

tell(#{is_service := true, channel := Channel, packet_id := PacketId} = Sender, Outcome, Details) ->
    case tightbeam_details:tell(PacketId, Outcome, Details) of
        nothing ->
            ok;
        Payload ->
            Msg = emqx_message:make(<<"tightbeam">>, 0, ?OUTCOME_TOPIC, Payload, #{}, #{}),
            write(Channel, emqx_message:to_packet(undefined, Msg), way(conninfo(Sender), Outcome))
    end;
tell(_Sender, _Outcome, _Details) ->
    ok.

failure(#{channel := Channel, packet_id := PacketId} = Sender, Outcome) ->
    Code = tightbeam_outcome:code(Outcome),
    Bytes = encode(PacketId, Code, tightbeam_outcome:reason(Outcome)),
    Info = conninfo(Sender),
    case takes(maps:get(conn_props, Info, #{}), byte_size(Bytes)) andalso write(Channel, packet(Bytes), way(Info, Outcome)) of
        true -> ok;
        false -> plain(Channel, PacketId, Code)
    end.

conninfo(#{clientid := ClientId, channel := Channel}) ->
    case emqx_cm:do_get_chan_info(ClientId, Channel) of
        #{conninfo := ConnInfo} -> ConnInfo;
        _ -> #{}
    end.

%% Section 3.1.2.11.7: no Reason String for a client that asked for none; section 3.4.2.2.2: nor where the packet would
%% be larger than it takes.
takes(#{'Request-Problem-Information' := 0}, _Size) -> false;
takes(#{'Maximum-Packet-Size' := Max}, Size) -> Size =< Max;
takes(_, _Size) -> true.

write(Channel, Packet, message) ->
    _ = Channel ! {outgoing, Packet},
    true;
write(Channel, Packet, callback) ->
    _ = Channel ! {timeout, make_ref(), {?MODULE, Packet}},
    true;
write(_Channel, _Packet, none) ->
    false.

%% A connection writes a packet that comes to it as a message. Over WebSocket that has gone with EMQX 5.10; what a
%% callback of `client.timeout' (5.4 and later) answers is written, but not when the plugin stops, and the callback goes.
way(#{conn_mod := Module}, _Outcome) when Module =/= emqx_ws_connection ->
    message;
way(_Info, Outcome) ->
    case tightbeam_emqx:has_hook_point('client.timeout') of
        false -> message;
        true when Outcome =:= stopped -> none;
        true -> callback
    end.

%% Shorter than 128 bytes, so that each length is one byte.
encode(PacketId, Code, Reason) ->
    Properties = <<?REASON_STRING, (byte_size(Reason)):16, Reason/binary>>,
    Body = <<PacketId:16, Code, (byte_size(Properties)), Properties/binary>>,
    <<?PUBACK:4, 0:4, (byte_size(Body)), Body/binary>>.

%% EMQX's own parser makes EMQX's own packet.
packet(Bytes) ->
    case emqx_frame:parse(Bytes, emqx_frame:initial_parse_state(#{version => ?VERSION})) of
        {ok, Packet, <<>>, _} -> Packet;
        {Packet, <<>>, _} -> Packet
    end.

%% @doc Runs in the connection, and makes it write the packet.
-spec on_timeout(reference(), term(), [term()]) -> ok | {ok, [term()]}.
on_timeout(_Ref, {?MODULE, Packet}, Replies) ->
    {ok, Replies ++ [{outgoing, Packet}]};
on_timeout(_Ref, _Timeout, _Replies) ->
    ok.
