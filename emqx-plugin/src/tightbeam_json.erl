%% @doc Writes JSON text (RFC 8259). OTP 25 has no encoder of its own, and EMQX's is not ours to rely on.
-module(tightbeam_json).

-export([string/1]).

%% @doc A string. MQTT clients can send what is no UTF-8, JSON cannot: each byte that is not part of a
%% character becomes U+FFFD.
-spec string(binary()) -> iodata().
string(Text) ->
    case is_plain(Text) of
        true -> [$", Text, $"];
        false -> [$", escape(Text, <<>>), $"]
    end.

%% Most client IDs and topics stand as they are.
is_plain(<<C, Rest/binary>>) when C >= 16#20, C < 16#7F, C =/= $", C =/= $\\ -> is_plain(Rest);
is_plain(Rest) -> Rest =:= <<>>.

escape(<<$", Rest/binary>>, Acc) -> escape(Rest, <<Acc/binary, "\\\"">>);
escape(<<$\\, Rest/binary>>, Acc) -> escape(Rest, <<Acc/binary, "\\\\">>);
escape(<<C, Rest/binary>>, Acc) when C < 16#20 ->
    escape(Rest, <<Acc/binary, "\\u00", (hex(C bsr 4)), (hex(C band 16#F))>>);
escape(<<C/utf8, Rest/binary>>, Acc) -> escape(Rest, <<Acc/binary, C/utf8>>);
escape(<<_, Rest/binary>>, Acc) -> escape(Rest, <<Acc/binary, 16#FFFD/utf8>>);
escape(<<>>, Acc) -> Acc.

hex(N) when N < 10 -> $0 + N;
hex(N) -> $a + N - 10.
