%% @doc Makes the message that the receiver gets out of the one that the sender published. All that
%% later callbacks need travels in one header of it, across nodes.
-module(tightbeam_message).

-export([make/3, tag/1, restore_expiry/2, fits/2, fingerprint/4]).

-export_type([tag/0]).

-define(HEADER, tightbeam).

-type tag() :: #{
    key := tightbeam_pending:key(),
    identity := tightbeam_identity:place() | undefined,
    %% acked: the receiver's PUBACK is the confirmation; delivered: handing it over is.
    confirm := acked | delivered,
    %% The sender's own Message Expiry Interval and when it began to run.
    expiry := non_neg_integer() | undefined,
    received := integer(),
    %% Of a request: the answer that is waited for.
    answer => #{topic := binary(), correlation := binary(), clientid := binary(), timeout := pos_integer()}
}.

%% @doc The flag `sys' keeps EMQX's rule engine from showing the message to rules on `$events/message_delivered',
%% `message_acked' and `delivery_dropped' (unless `rule_engine.ignore_sys_message' is off), and nobody else. The expiry (section 3.3.2.3.3) bounds the message's life inside the broker: it is gone from
%% the receiver's queue when the sender's timeout is over, to the millisecond. EMQX counts it in
%% seconds from the message's timestamp, so the timestamp is set such that the two meet.
-spec make(term(), tightbeam_request:request(), #{
    key := tightbeam_pending:key(),
    identity := tightbeam_identity:place() | undefined,
    remaining := pos_integer(),
    received := integer(),
    mountpoint := undefined | binary()
}) ->
    term().
make(Msg, #{topic := Topic, qos := QoS} = Request, #{
    key := Key, identity := Identity, remaining := Remaining, received := Received, mountpoint := Mountpoint
}) ->
    Headers = emqx_message:get_headers(Msg),
    Props = maps:get(properties, Headers, #{}),
    Expiry = maps:get('Message-Expiry-Interval', Props, undefined),
    Life = life(Remaining, Expiry, Received),
    Seconds = max(1, (Life + 999) div 1000),
    Plain = #{key => Key, identity => Identity, confirm => confirm(QoS), expiry => Expiry, received => Received},
    Tag =
        case Request of
            #{answer := Answer, clientid := ClientId, timeout := Timeout} -> Plain#{answer => Answer#{clientid => ClientId, timeout => Timeout}};
            _ -> Plain
        end,
    Direct = emqx_message:make(
        emqx_message:from(Msg),
        QoS,
        mount(Mountpoint, Topic),
        emqx_message:payload(Msg),
        #{dup => false, retain => false, sys => true},
        Headers#{
            properties => (without_trace(Msg, visible(Props)))#{'Message-Expiry-Interval' => Seconds},
            ?HEADER => Tag
        }
    ),
    Map = emqx_message:to_map(Direct),
    emqx_message:from_map(Map#{timestamp => erlang:system_time(millisecond) + Life - Seconds * 1000}).

confirm(0) -> delivered;
confirm(1) -> acked.

life(Remaining, undefined, _Received) ->
    Remaining;
life(Remaining, Expiry, Received) ->
    max(1, min(Remaining, Received + Expiry * 1000 - erlang:system_time(millisecond))).

%% A Topic Alias (section 3.3.2.3.4) belongs to the sender's connection, `dm-*' to the plugin.
visible(Props) ->
    Own = maps:without(['Topic-Alias', 'Subscription-Identifier'], Props),
    case maps:find('User-Property', Own) of
        {ok, UserProps} ->
            Own#{'User-Property' => [P || {K, _} = P <- UserProps, not is_parameter(K)]};
        error ->
            Own
    end.

%% A trace that the service has given the broker, and not the device. What another sender says of his trace does not count:
%% it is his own, and goes on to the device.
without_trace(Msg, #{'User-Property' := UserProps} = Props) ->
    case tightbeam_request:hides_trace(Msg) of
        true -> Props#{'User-Property' := [P || {K, _} = P <- UserProps, K =/= <<"traceparent">>]};
        false -> Props
    end;
without_trace(_Msg, Props) ->
    Props.

is_parameter(<<"dm-", _/binary>>) -> true;
is_parameter(_) -> false.

%% @doc What makes two messages of one identity the same: all that the device gets of them, but for the trace that they
%% belong to, which is another one for each attempt.
-spec fingerprint(term(), binary(), 0..1, IsRequest :: boolean()) -> binary().
fingerprint(Msg, Topic, QoS, IsRequest) ->
    Props = visible(emqx_message:get_header(properties, Msg, #{})),
    Same =
        case Props of
            #{'User-Property' := UserProps} ->
                Props#{'User-Property' := [P || {K, _} = P <- UserProps, K =/= <<"traceparent">>, K =/= <<"tracestate">>]};
            _ ->
                Props
        end,
    Encoded =
        case lists:sort([Prop || {_, V} = Prop <- maps:to_list(Same), V =/= []]) of
            [] -> <<>>;
            List -> term_to_binary(List, [{minor_version, 2}])
        end,
    erlang:md5([Topic, 0, kind(QoS, IsRequest), <<(byte_size(Encoded)):32>>, Encoded, emqx_message:payload(Msg)]).

kind(_QoS, true) -> 2;
kind(QoS, false) -> QoS.

%% EMQX takes the receiver's mountpoint off each topic; the receiver is to see the topic as sent.
mount(undefined, Topic) -> Topic;
mount(Mountpoint, Topic) -> <<Mountpoint/binary, Topic/binary>>.

%% @doc What the plugin knows of a message; undefined: it is not a direct message.
-spec tag(term()) -> tag() | undefined.
tag(Msg) ->
    emqx_message:get_header(?HEADER, Msg, undefined).

%% @doc The receiver sees the sender's Message Expiry Interval less the time spent here (section
%% 3.3.2.3.3), or none if the sender set none.
-spec restore_expiry(tag(), term()) -> term().
restore_expiry(#{expiry := Expiry, received := Received}, Msg) ->
    Props = emqx_message:get_header(properties, Msg, #{}),
    Restored =
        case Expiry of
            undefined ->
                maps:remove('Message-Expiry-Interval', Props);
            _ ->
                Spent = max(0, erlang:system_time(millisecond) - Received) div 1000,
                Props#{'Message-Expiry-Interval' => max(1, Expiry - Spent)}
        end,
    emqx_message:set_header(properties, Restored, Msg).

%% @doc Section 3.1.2.11.4: a packet larger than the client's Maximum Packet Size must not be sent to
%% it. EMQX drops it without a word, and it would fill a place of the receive window for good.
-spec fits(term(), pos_integer() | infinity) -> boolean().
fits(_Msg, infinity) ->
    true;
fits(Msg, Max) ->
    Packet = emqx_message:to_packet(1, Msg),
    iolist_size(emqx_frame:serialize(Packet, 5)) =< Max.
