%% @doc What AWS IoT Core does otherwise than EMQX and no setting of EMQX can do, where the setting `aws_iot' asks for it
%% (docs/aws-iot-differences.md has the rows). In the connection's process; without the setting each is one look.
-module(tightbeam_aws).

-export([on_connack/3, on_subscribe/3, on_publish/1]).

-define(SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, 16#A1).
%% Seconds.
-define(MIN_KEEPALIVE, 30).
-define(MAX_KEEPALIVE, 1200).
-define(MIN_EXPIRY, 1).
-define(MAX_EXPIRY, 604800).
%% Retain Handling (section 3.8.3.1): no retained messages at SUBSCRIBE.
-define(NO_RETAINED, 2).

%% @doc MQTT 5: no subscription identifiers (section 3.2.2.3.12); a keep-alive in AWS's range (section 3.2.2.3.14), which
%% EMQX itself then goes by.
-spec on_connack(map(), term(), term()) -> ok | {ok, map()}.
on_connack(#{proto_ver := 5} = ConnInfo, success, #{} = Props) ->
    case tightbeam_config:get(aws_iot) of
        true -> {ok, keepalive(ConnInfo, Props#{'Subscription-Identifier-Available' => 0})};
        false -> ok
    end;
on_connack(_ConnInfo, _Reason, _Props) ->
    ok.

keepalive(#{keepalive := Asked}, Props) when is_integer(Asked) ->
    case within(Asked) of
        Asked -> Props;
        Other -> maps:merge(#{'Server-Keep-Alive' => Other}, Props)
    end;
keepalive(_, Props) ->
    Props.

%% 0 is none at all.
within(0) -> ?MAX_KEEPALIVE;
within(Asked) -> min(max(Asked, ?MIN_KEEPALIVE), ?MAX_KEEPALIVE).

%% @doc QoS 1 is the most that is granted, a filter with a wildcard gets no retained messages, and a subscription
%% identifier ends the connection. The SUBACK is made from what this answers, filter by filter, in EMQX 5.4 and later;
%% before, it would say QoS 0 of a filter that was changed, and nothing is.
-spec on_subscribe(map(), term(), [tuple()]) -> ok | {ok, [tuple()]}.
on_subscribe(_ClientInfo, Props, TopicFilters) ->
    case tightbeam_config:get(aws_iot) andalso tightbeam_emqx:has_hook_point('client.subscribe') of
        true ->
            ok = identifier(Props),
            {ok, [{Filter, retained(Filter, qos(SubOpts))} || {Filter, SubOpts} <- TopicFilters]};
        false ->
            ok
    end.

identifier(#{'Subscription-Identifier' := _}) ->
    _ = self() ! {disconnect, ?SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, subscription_identifiers_not_supported, #{}},
    ok;
identifier(_) ->
    ok.

qos(#{qos := 2} = SubOpts) -> SubOpts#{qos := 1};
qos(SubOpts) -> SubOpts.

retained(Filter, SubOpts) when is_binary(Filter) ->
    case binary:match(Filter, [<<"+">>, <<"#">>]) of
        nomatch -> SubOpts;
        _ -> SubOpts#{rh => ?NO_RETAINED}
    end;
%% A shared subscription gets none anyway.
retained(_Filter, SubOpts) ->
    SubOpts.

%% @doc A Message Expiry Interval is moved into AWS's range.
-spec on_publish(term()) -> ok | {ok, term()}.
on_publish(Msg) ->
    case emqx_message:get_header(properties, Msg, #{}) of
        #{'Message-Expiry-Interval' := Asked} = Props when Asked < ?MIN_EXPIRY; Asked > ?MAX_EXPIRY ->
            case tightbeam_config:get(aws_iot) of
                true -> {ok, emqx_message:set_header(properties, Props#{'Message-Expiry-Interval' := clamp(Asked)}, Msg)};
                false -> ok
            end;
        _ ->
            ok
    end.

clamp(Asked) -> min(max(Asked, ?MIN_EXPIRY), ?MAX_EXPIRY).
