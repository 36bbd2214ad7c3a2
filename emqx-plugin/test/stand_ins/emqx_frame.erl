-module(emqx_frame).
-export([serialize/2]).

serialize({packet, #{topic := Topic, payload := Payload}}, 5) ->
    [<<0:(9 * 8)>>, Topic, Payload].
