-module(emqx_frame).
-export([serialize/2, initial_parse_state/1, parse/2]).

serialize({packet, #{topic := Topic, payload := Payload}}, 5) ->
    [<<0:(9 * 8)>>, Topic, Payload].

initial_parse_state(#{version := 5}) -> state.

%% A PUBACK with one property; in the form of the version.
parse(<<4:4, 0:4, Length, Body:Length/binary>>, state) ->
    <<PacketId:16, Code, Size, Properties:Size/binary>> = Body,
    <<16#1F, Bytes:16, Reason:Bytes/binary>> = Properties,
    Packet = {puback_packet, PacketId, Code, Reason},
    case lists:member(?VERSION, ["5.1.6", "5.4.1", "5.7.2", "5.8.9"]) of
        true -> {ok, Packet, <<>>, state};
        false -> {Packet, <<>>, state}
    end.
