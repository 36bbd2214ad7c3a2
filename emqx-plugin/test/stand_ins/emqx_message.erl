%% Stands in for EMQX's message: the same functions over another representation, so that a test cannot
%% pass by knowing the record.
-module(emqx_message).
-export([make/6, id/1, qos/1, from/1, topic/1, payload/1, get_flag/3, get_header/3, get_headers/1]).
-export([set_header/3, to_map/1, from_map/1, to_packet/2]).

make(From, QoS, Topic, Payload, Flags, Headers) ->
    {stand_in, #{
        id => crypto:strong_rand_bytes(16),
        from => From,
        qos => QoS,
        topic => Topic,
        payload => Payload,
        flags => Flags,
        headers => Headers,
        timestamp => erlang:system_time(millisecond)
    }}.

id({stand_in, #{id := V}}) -> V.
qos({stand_in, #{qos := V}}) -> V.
from({stand_in, #{from := V}}) -> V.
topic({stand_in, #{topic := V}}) -> V.
payload({stand_in, #{payload := V}}) -> V.
get_flag(Flag, {stand_in, #{flags := Flags}}, Default) -> maps:get(Flag, Flags, Default).
get_headers({stand_in, #{headers := V}}) -> V.
get_header(Key, {stand_in, #{headers := H}}, Default) -> maps:get(Key, H, Default).
set_header(Key, V, {stand_in, #{headers := H} = M}) -> {stand_in, M#{headers := H#{Key => V}}}.
to_map({stand_in, M}) -> M.
from_map(M) -> {stand_in, M}.
to_packet(_PacketId, {stand_in, M}) -> {packet, M}.
