%% @doc Writes JSON text (RFC 8259). OTP 25 has no encoder of its own, and EMQX's is not ours to rely on.
-module(tightbeam_json).

-export([string/1, member/2, hex/1]).

%% @doc A string. MQTT clients can send what is no UTF-8, JSON cannot: each byte that is not part of a
%% character becomes U+FFFD.
-spec string(binary()) -> iodata().
string(Text) ->
    case is_plain(Text) of
        true -> [$", Text, $"];
        false -> [$", escape(Text, <<>>), $"]
    end.

%% @doc A member of an object; the name stands as it is.
-spec member(binary(), binary() | atom() | number() | inet:ip_address()) -> iodata().
member(Name, Value) -> [$", Name, "\":", value(Value)].

value(Value) when is_integer(Value) -> integer_to_binary(Value);
value(Value) when is_float(Value) -> float_to_binary(Value, [{decimals, 3}, compact]);
value(Value) when is_boolean(Value) -> atom_to_binary(Value);
value(Value) when is_atom(Value) -> string(atom_to_binary(Value));
value(Value) when is_binary(Value) -> string(Value);
value({A, B, C, D}) ->
    [$", integer_to_binary(A), $., integer_to_binary(B), $., integer_to_binary(C), $., integer_to_binary(D), $"];
value(Address) when is_tuple(Address) -> [$", inet:ntoa(Address), $"].

%% @doc Lower case, as W3C Trace Context has it.
-spec hex(binary()) -> binary().
hex(Bytes) ->
    hex(Bytes, <<>>).

hex(<<High:4, Low:4, Rest/binary>>, Acc) -> hex(Rest, <<Acc/binary, (hex_digit(High)), (hex_digit(Low))>>);
hex(<<>>, Acc) -> Acc.

%% Most client IDs and topics stand as they are.
is_plain(<<C, Rest/binary>>) when C >= 16#20, C < 16#7F, C =/= $", C =/= $\\ -> is_plain(Rest);
is_plain(Rest) -> Rest =:= <<>>.

escape(<<$", Rest/binary>>, Acc) -> escape(Rest, <<Acc/binary, "\\\"">>);
escape(<<$\\, Rest/binary>>, Acc) -> escape(Rest, <<Acc/binary, "\\\\">>);
escape(<<C, Rest/binary>>, Acc) when C < 16#20 ->
    escape(Rest, <<Acc/binary, "\\u00", (hex_digit(C bsr 4)), (hex_digit(C band 16#F))>>);
escape(<<C/utf8, Rest/binary>>, Acc) -> escape(Rest, <<Acc/binary, C/utf8>>);
escape(<<_, Rest/binary>>, Acc) -> escape(Rest, <<Acc/binary, 16#FFFD/utf8>>);
escape(<<>>, Acc) -> Acc.

hex_digit(N) when N < 10 -> $0 + N;
hex_digit(N) -> $a + N - 10.
