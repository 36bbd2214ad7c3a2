%% @doc Judges a PUBLISH to a direct topic: who published it, may it be one at all, and what it asks
%% for. No side effects.
-module(tightbeam_request).

-export([parse/1, wait_ms/1, is_own_publish/1, is_service/1, hides_trace/1, traceparent/1]).

-export_type([request/0, refusal/0, principal/0, withdrawal/0]).

-type request() :: #{
    clientid := binary(),
    topic := binary(),
    %% The QoS at which the receiver gets it.
    qos := 0..1,
    timeout := 1..60000,
    %% Of a request: where, and with which Correlation Data, the device's answer is waited for.
    answer => #{topic := binary(), correlation := binary()},
    %% For how long its receiver is waited for, and on whose account.
    wait => #{ms := 1..300000, principal := principal()},
    %% The service asks for no more than to be told when that client is connected.
    is_watch => true,
    %% Of the delivery; undefined: the sender gave none, and nothing is remembered.
    identity := tightbeam_identity:identity() | undefined
}.
%% The service asks for that no more, which it did in the PUBLISH with this identifier.
-type withdrawal() :: #{withdraw := 1..65535}.
%% Whose identities they are: a principal that the service names or a user, a client that has no user name, or either as
%% a hash where it is long.
-type principal() :: binary() | {clientid, binary()} | {md5, binary()}.
%% `answer': a PUBACK with the outcome's code; `close': MQTT has no negative answer to this PUBLISH,
%% so the connection is closed without one; `silent': QoS 0 has no answer at all.
-type refusal() :: {answer | close | silent, tightbeam_outcome:outcome()}.

-define(DEFAULT_TIMEOUT, 5000).
-define(MAX_TIMEOUT, 15000).
-define(MAX_REQUEST_TIMEOUT, 60000).
-define(MAX_WAIT, 300000).
%% Bytes.
-define(MAX_ID, 128).

%% @doc Is this message the PUBLISH of the client whose connection process runs this code? Wills,
%% delayed messages, rules, bridges, gateways and the REST API publish without a client that could be
%% answered, some of them with a client's name and headers, so the process is what counts.
-spec is_own_publish(term()) -> boolean().
is_own_publish(Msg) ->
    From = emqx_message:from(Msg),
    is_integer(emqx_message:get_header(proto_ver, Msg, undefined)) andalso
        emqx_message:get_header(republish_by, Msg, undefined) =:= undefined andalso
        is_binary(From) andalso
        lists:member(self(), emqx_cm:lookup_channels(local, From)).

%% @doc How long a message may wait for its receiver, in milliseconds.
-spec wait_ms(request()) -> non_neg_integer().
wait_ms(#{wait := #{ms := Ms}}) -> Ms;
wait_ms(_) -> 0.

-spec parse(term()) -> {ok, request() | withdrawal()} | {refuse, refusal()}.
parse(Msg) ->
    QoS = emqx_message:qos(Msg),
    Ver = emqx_message:get_header(proto_ver, Msg, 4),
    case check(QoS, Ver, Msg) of
        {ok, Request} -> {ok, Request};
        {error, Outcome} -> {refuse, {manner(QoS, Ver), Outcome}}
    end.

manner(0, _Ver) -> silent;
manner(1, 5) -> answer;
%% MQTT 3.1.1 section 3.4: its PUBACK has no reason code and so can only say yes. A PUBREC (QoS 2)
%% is out of a hook's reach.
manner(_, _) -> close.

check(2, _Ver, _Msg) ->
    {error, invalid_parameter};
check(1, Ver, _Msg) when Ver < 5 ->
    {error, invalid_parameter};
check(QoS, _Ver, Msg) ->
    case emqx_message:get_flag(retain, Msg, false) of
        true ->
            {error, invalid_parameter};
        false ->
            case {tightbeam_topic:parse(emqx_message:topic(Msg)), is_service(Msg) andalso tightbeam_topic:watched(emqx_message:topic(Msg))} of
                {{ok, Direct}, _} -> payload(QoS, Msg, Direct);
                {_, {ok, ClientId}} -> watch(QoS, Msg, user_properties(Msg), ClientId);
                {{error, Outcome}, _} -> {error, Outcome}
            end
    end.

watch(1, Msg, UserProps, ClientId) ->
    case wait(1, values(<<"dm-wait-ms">>, UserProps)) of
        {ok, Ms} ->
            {ok, #{
                clientid => ClientId, topic => <<>>, qos => 1, timeout => ?DEFAULT_TIMEOUT, identity => undefined, is_watch => true,
                wait => #{ms => Ms, principal => principal(Msg, UserProps)}
            }};
        error ->
            {error, invalid_parameter}
    end;
watch(0, _Msg, UserProps, _ClientId) ->
    case number(values(<<"dm-withdraw">>, UserProps), 1, 65535) of
        {ok, PacketId} -> {ok, #{withdraw => PacketId}};
        error -> {error, invalid_parameter}
    end.

payload(QoS, Msg, Direct) ->
    case byte_size(emqx_message:payload(Msg)) =< tightbeam_config:get(max_payload_bytes) of
        true -> parameters(QoS, Msg, user_properties(Msg), Direct);
        false -> {error, payload_too_large}
    end.

parameters(QoS, Msg, UserProps, #{clientid := ClientId, topic := Topic} = Direct) ->
    Answer = answer(is_service(Msg) andalso values(<<"dm-request">>, UserProps), Msg),
    Asked = {
        delivery_qos(QoS, values(<<"dm-qos">>, UserProps)), timeout(values(<<"dm-timeout-ms">>, UserProps), max_timeout(Answer)),
        id(values(<<"dm-id">>, UserProps)), wait(QoS, values(<<"dm-wait-ms">>, UserProps)), Answer
    },
    case Asked of
        {_, _, _, _, {error, Outcome}} ->
            {error, Outcome};
        {{ok, 0}, _, _, _, {ok, #{}}} ->
            {error, invalid_parameter};
        {{ok, DeliveryQoS}, {ok, Timeout}, {ok, undefined}, {ok, Wait}, _} ->
            {ok, with_wait(Wait, Msg, UserProps, with_answer(Answer, Direct#{qos => DeliveryQoS, timeout => Timeout, identity => undefined}))};
        {{ok, DeliveryQoS}, {ok, Timeout}, {ok, Id}, {ok, Wait}, _} ->
            Identity = #{
                key => {ClientId, principal(Msg, UserProps), Id},
                fingerprint => tightbeam_message:fingerprint(Msg, Topic, DeliveryQoS, Answer =/= {ok, none}),
                trace_id => trace_id(Msg, UserProps)
            },
            {ok, with_wait(Wait, Msg, UserProps, with_answer(Answer, Direct#{qos => DeliveryQoS, timeout => Timeout, identity => Identity}))};
        _ ->
            {error, invalid_parameter}
    end.

with_wait(0, _Msg, _UserProps, Request) -> Request;
with_wait(Ms, Msg, UserProps, Request) -> Request#{wait => #{ms => Ms, principal => principal(Msg, UserProps)}}.

with_answer({ok, none}, Request) -> Request;
with_answer({ok, Answer}, Request) -> Request#{answer => Answer}.

max_timeout({ok, #{}}) -> ?MAX_REQUEST_TIMEOUT;
max_timeout(_) -> ?MAX_TIMEOUT.

%% Asked for by the service alone: any other client can subscribe to the response topic.
answer(None, _Msg) when None =:= false; None =:= [] ->
    {ok, none};
answer([<<"1">>], Msg) ->
    case emqx_message:get_header(properties, Msg, #{}) of
        #{'Response-Topic' := Topic, 'Correlation-Data' := Correlation} ->
            case tightbeam_topic:check(Topic) of
                ok -> {ok, #{topic => Topic, correlation => Correlation}};
                {error, Outcome} -> {error, Outcome}
            end;
        _ ->
            {error, invalid_parameter}
    end;
answer(_, _Msg) ->
    {error, invalid_parameter}.

id([]) ->
    {ok, undefined};
id([Id]) when byte_size(Id) >= 1, byte_size(Id) =< ?MAX_ID ->
    case is_utf8(Id) of
        true -> {ok, Id};
        false -> error
    end;
id(_) ->
    error.

is_utf8(<<_/utf8, Rest/binary>>) -> is_utf8(Rest);
is_utf8(Rest) -> Rest =:= <<>>.

%% @doc Has the service published this? Its user name is one that EMQX has authenticated. What it says of its callers
%% counts; what anybody else says of himself does not.
-spec is_service(term()) -> boolean().
is_service(Msg) ->
    emqx_message:get_header(username, Msg, undefined) =:= tightbeam_config:get(service_username).

%% @doc Is its `traceparent' the service's own, for EMQX's spans alone?
-spec hides_trace(term()) -> boolean().
hides_trace(Msg) ->
    values(<<"dm-traceparent">>, user_properties(Msg)) =/= [] andalso is_service(Msg).

principal(Msg, UserProps) ->
    case {is_service(Msg) andalso values(<<"dm-principal">>, UserProps), emqx_message:get_header(username, Msg, undefined)} of
        {[Principal], _} -> short(Principal);
        {_, Username} when is_binary(Username), Username =/= <<>> -> short(Username);
        _ -> {clientid, emqx_message:from(Msg)}
    end.

short(Principal) when byte_size(Principal) =< ?MAX_ID -> Principal;
short(Principal) -> {md5, erlang:md5(Principal)}.

trace_id(Msg, UserProps) ->
    case {is_service(Msg) andalso values(<<"dm-trace-id">>, UserProps), traceparent(Msg)} of
        %% With its span, where that is recorded: a repeat links to it.
        {[Attempt], _} when byte_size(Attempt) =:= 32; byte_size(Attempt) =:= 49 ->
            case re:run(Attempt, "^[0-9a-f]{32}(-[0-9a-f]{16})?$", [{capture, none}, dollar_endonly]) of
                match -> Attempt;
                nomatch -> undefined
            end;
        {_, <<_:3/binary, TraceId:32/binary, _/binary>>} ->
            TraceId;
        _ ->
            undefined
    end.

delivery_qos(QoS, []) -> {ok, QoS};
delivery_qos(_, [<<"0">>]) -> {ok, 0};
delivery_qos(1, [<<"1">>]) -> {ok, 1};
%% A confirmation asked for with a QoS 0 PUBLISH, to which MQTT has no answer, is a contradiction.
delivery_qos(_, _) -> error.

timeout([], _Max) -> {ok, ?DEFAULT_TIMEOUT};
timeout(Values, Max) -> number(Values, 1, Max).

%% To a PUBLISH of QoS 0, to which MQTT has no answer, nobody waits.
wait(_QoS, []) ->
    {ok, 0};
wait(QoS, Values) ->
    case number(Values, 0, ?MAX_WAIT) of
        {ok, Ms} when Ms > 0, QoS =:= 0 -> error;
        Result -> Result
    end.

number([<<Sign, _/binary>>], _Min, _Max) when Sign =:= $+; Sign =:= $- ->
    error;
number([Value], Min, Max) ->
    %% No more digits than the largest has.
    case byte_size(Value) =< length(integer_to_list(Max)) of
        true -> number(Value, Min, Max);
        false -> error
    end;
number(Value, Min, Max) when is_binary(Value) ->
    try binary_to_integer(Value) of
        N when N >= Min, N =< Max -> {ok, N};
        _ -> error
    catch
        error:badarg -> error
    end;
number(_, _Min, _Max) ->
    error.

%% @doc The W3C trace context of the sender, if it sent a well-formed one.
-spec traceparent(term()) -> binary() | undefined.
traceparent(Msg) ->
    case user_properties(Msg) of
        [] ->
            undefined;
        UserProps ->
            case values(<<"traceparent">>, UserProps) of
                [<<V:2/binary, $-, TraceId:32/binary, $-, SpanId:16/binary, $-, Flags:2/binary>> = Value] ->
                    case is_hex(V) andalso is_hex(TraceId) andalso is_hex(SpanId) andalso is_hex(Flags) of
                        true -> Value;
                        false -> undefined
                    end;
                _ ->
                    undefined
            end
    end.

is_hex(<<C, Rest/binary>>) when C >= $0, C =< $9; C >= $a, C =< $f -> is_hex(Rest);
is_hex(Rest) -> Rest =:= <<>>.

user_properties(Msg) ->
    maps:get('User-Property', emqx_message:get_header(properties, Msg, #{}), []).

values(Key, UserProps) ->
    [V || {K, V} <- UserProps, K =:= Key].
