%% @doc The sender's PUBACK, and its way to the sender's connection. A success is sent as EMQX lets a callback send it
%% later. That way knows no properties, so a failure, which names its reason in the Reason String (MQTT 5 section
%% 3.4.2.2.2), is made here and handed to the connection to be written as it is.
-module(tightbeam_puback).

-export([send/4, on_timeout/3]).

-define(VERSION, 5).
-define(PUBACK, 4).
-define(REASON_STRING, 16#1F).

%% @doc To a connection of this node, from any process.
-spec send(pid(), binary(), 1..65535, tightbeam_outcome:outcome()) -> ok.
send(Channel, ClientId, PacketId, Outcome) ->
    case tightbeam_outcome:code(Outcome) of
        Code when Code < 16#80 -> plain(Channel, PacketId, Code);
        _ -> failure(Channel, ClientId, PacketId, Outcome)
    end.

plain(Channel, PacketId, Code) ->
    _ = Channel ! {puback, PacketId, [], Code},
    ok.

failure(Channel, ClientId, PacketId, Outcome) ->
    Code = tightbeam_outcome:code(Outcome),
    Bytes = encode(PacketId, Code, tightbeam_outcome:reason(Outcome)),
    Info =
        case emqx_cm:do_get_chan_info(ClientId, Channel) of
            #{conninfo := ConnInfo} -> ConnInfo;
            _ -> #{}
        end,
    case takes(maps:get(conn_props, Info, #{}), byte_size(Bytes)) andalso way(Info, Outcome) of
        message -> Channel ! {outgoing, packet(Bytes)};
        callback -> Channel ! {timeout, make_ref(), {?MODULE, packet(Bytes)}};
        _ -> plain(Channel, PacketId, Code)
    end,
    ok.

%% Section 3.1.2.11.7: no Reason String for a client that asked for none; section 3.4.2.2.2: nor where the packet would
%% be larger than it takes.
takes(#{'Request-Problem-Information' := 0}, _Size) -> false;
takes(#{'Maximum-Packet-Size' := Max}, Size) -> Size =< Max;
takes(_, _Size) -> true.

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
