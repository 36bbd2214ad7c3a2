%% @doc The event tap: callbacks in the connections' processes that tell what happens. Each makes one small term and hands
%% it to a collector (tightbeam_tap_collector), or counts that there was no room: a connection never waits. What nobody
%% wants (tightbeam_tap_wanted) costs a look at a persistent term. Direct messages are no events: they have outcomes.
-module(tightbeam_tap).

-export([types/0, number/1]).
-export([on_connected/2, on_connack/3, on_disconnected/3, on_subscribed/3, on_unsubscribed/3]).
-export([on_publish/1, on_delivered/2, on_completed/2, on_acked/2, on_delivery_dropped/3, on_dropped/3]).
-export([on_authenticate/2, on_authz_complete/5, on_resumed/2, on_terminated/3]).

-export_type([type/0, event/0]).

-type type() ::
    connect
    | disconnect
    | subscribe
    | unsubscribe
    | publish_in
    | publish_out
    | publish_ack
    | dropped
    | denied
    | session.

%% Type, broker's clock in milliseconds, who, and what the type has of its own: see tightbeam_tap_event.
-type event() :: {type(), integer(), tightbeam_tap_who:who(), term()}.

%% How far the CONNECT of this process has come: who refused it is seen from where it stopped.
-define(ASKED, '$tightbeam_asked').
%% Reason code of a PUBACK that said no.
-define(CODE, '$tightbeam_tap_code').

%% @doc In the order of their numbers.
-spec types() -> [type()].
types() ->
    [connect, disconnect, subscribe, unsubscribe, publish_in, publish_out, publish_ack, dropped, denied, session].

-spec number(type()) -> pos_integer().
number(connect) -> 1;
number(disconnect) -> 2;
number(subscribe) -> 3;
number(unsubscribe) -> 4;
number(publish_in) -> 5;
number(publish_out) -> 6;
number(publish_ack) -> 7;
number(dropped) -> 8;
number(denied) -> 9;
number(session) -> 10.

%%--------------------------------------------------------------------
%% Connections
%%--------------------------------------------------------------------

-spec on_connected(map(), map()) -> ok.
on_connected(ClientInfo, ConnInfo) ->
    _ = erase(?ASKED),
    Who = tightbeam_tap_who:connected(ClientInfo, ConnInfo),
    with_wanted(fun(Wanted) ->
        tightbeam_tap_counts:connect(accepted, Wanted),
        tell(connect, Who, {accepted, self(), connection(ConnInfo)}, Wanted)
    end).

connection(ConnInfo) ->
    maps:with([clean_start, expiry_interval, keepalive, proto_ver, proto_name, socktype], ConnInfo).

%% @doc Just before ExHook's callback: nobody before it has refused the client.
-spec on_authenticate(map(), term()) -> ok.
on_authenticate(_Credential, _Result) ->
    _ = put(?ASKED, provider),
    ok.

%% @doc Every CONNACK comes by here; those that refuse are told.
-spec on_connack(map(), atom(), term()) -> ok.
on_connack(_ConnInfo, success, _Props) ->
    ok;
on_connack(ConnInfo, Reason, _Props) ->
    By = refuser(erase(?ASKED), Reason),
    with_wanted(fun(Wanted) ->
        tightbeam_tap_counts:connect(Reason, Wanted),
        tell(connect, tightbeam_tap_who:refused(ConnInfo), {refused, Reason, By, connection(ConnInfo)}, Wanted)
    end).

%% The guard comes after ExHook, and says so itself.
refuser(provider, not_authorized) ->
    case tightbeam_guard:has_denied() of
        true -> guard;
        false -> provider
    end;
refuser(_, _) ->
    broker.

-spec on_disconnected(map(), term(), map()) -> ok.
on_disconnected(ClientInfo, Reason, ConnInfo) ->
    with_wanted(fun(Wanted) ->
        tightbeam_tap_counts:disconnect(Wanted),
        tell(disconnect, tightbeam_tap_who:known(ClientInfo), {Reason, lived(ConnInfo)}, Wanted)
    end).

lived(#{connected_at := From, disconnected_at := To}) when is_integer(From), is_integer(To) -> max(0, To - From);
lived(_) -> undefined.

%%--------------------------------------------------------------------
%% Sessions and subscriptions
%%--------------------------------------------------------------------

-spec on_resumed(map(), map()) -> ok.
on_resumed(ClientInfo, _Session) ->
    with_wanted(fun(Wanted) -> of_session(ClientInfo, resumed, Wanted) end).

-spec on_terminated(map(), term(), map()) -> ok.
on_terminated(ClientInfo, {shutdown, Reason}, Session) ->
    on_terminated(ClientInfo, Reason, Session);
on_terminated(ClientInfo, expired, _Session) ->
    with_wanted(fun(Wanted) -> of_session(ClientInfo, expired, Wanted) end);
on_terminated(_ClientInfo, _Reason, _Session) ->
    ok.

of_session(ClientInfo, What, Wanted) ->
    tightbeam_tap_counts:session(What, Wanted),
    tell(session, tightbeam_tap_who:known(ClientInfo), What, Wanted).

-spec on_subscribed(map(), term(), map()) -> ok.
on_subscribed(ClientInfo, Filter, SubOpts) ->
    with_wanted(fun(Wanted) ->
        Who = tightbeam_tap_who:known(ClientInfo),
        Name = tightbeam_topic:filter_name(Filter),
        tell_on(subscribe, Who, Name, {Name, maps:with([qos, rh, rap, nl, subid, is_new], SubOpts)}, Wanted)
    end).

-spec on_unsubscribed(map(), term(), map()) -> ok.
on_unsubscribed(ClientInfo, Filter, _SubOpts) ->
    with_wanted(fun(Wanted) ->
        Name = tightbeam_topic:filter_name(Filter),
        tell_on(unsubscribe, tightbeam_tap_who:known(ClientInfo), Name, Name, Wanted)
    end).

%% @doc What EMQX itself remembers is asked of nobody (`authorization.cache'): a refusal from there is seen here alone, and
%% so is one of EMQX's own rules. Those under `$dm/' are outcomes, see tightbeam_access.
-spec on_authz_complete(map(), term(), term(), allow | deny, term()) -> ok.
on_authz_complete(_ClientInfo, _Action, _Topic, allow, _Source) ->
    ok;
on_authz_complete(_ClientInfo, _Action, _Topic, deny, exhook) ->
    ok;
on_authz_complete(_ClientInfo, _Action, <<"$dm/", _/binary>>, deny, _Source) ->
    ok;
on_authz_complete(ClientInfo, #{action_type := Action} = Asked, Topic, deny, Source) ->
    with_wanted(fun(Wanted) ->
        Name = tightbeam_topic:filter_name(Topic),
        Facts = {Action, Name, maps:get(qos, Asked, undefined), maps:get(retain, Asked, undefined), source(Source)},
        tell_on(denied, tightbeam_tap_who:known(ClientInfo), Name, Facts, Wanted)
    end);
on_authz_complete(_ClientInfo, _Action, _Topic, _Result, _Source) ->
    ok.

source(Source) when is_atom(Source) -> Source;
source(_) -> other.

%%--------------------------------------------------------------------
%% Messages
%%--------------------------------------------------------------------

%% @doc A PUBLISH has been accepted for routing, whoever made it: a client, a will, a rule, the REST API.
-spec on_publish(term()) -> ok.
on_publish(Msg) ->
    case tightbeam_tap_wanted:get() of
        off ->
            ok;
        Wanted ->
            Topic = emqx_message:topic(Msg),
            Who = tightbeam_tap_who:publisher(Msg),
            case is_told(Who, Topic) andalso not tightbeam_presence:is_publishing() of
                true ->
                    tightbeam_tap_counts:message(in, emqx_message:qos(Msg), Topic, Wanted),
                    message(publish_in, Who, Topic, Msg, none, Wanted);
                false ->
                    ok
            end
    end.

%% @doc A message is about to be written to its receiver's connection.
-spec on_delivered(map(), term()) -> ok.
on_delivered(ClientInfo, Msg) ->
    of_receiver(publish_out, out, ClientInfo, Msg, none).

%% @doc EMQX 6.0 and later say the reason code of a PUBACK, just before `message.acked' of the same.
-spec on_completed(term(), map()) -> ok.
on_completed(_Msg, #{reason_code := Code}) when Code >= 16#80 ->
    _ = put(?CODE, Code),
    ok;
on_completed(_Msg, _Info) ->
    ok.

%% @doc The receiver has acknowledged it: PUBACK, or PUBREC and all that follows.
-spec on_acked(map(), term()) -> ok.
on_acked(ClientInfo, Msg) ->
    Fact =
        case erase(?CODE) of
            undefined -> none;
            Code -> Code
        end,
    of_receiver(publish_ack, acked, ClientInfo, Msg, Fact).

of_receiver(Type, Counted, ClientInfo, Msg, Fact) ->
    case tightbeam_tap_wanted:get() of
        off ->
            ok;
        Wanted ->
            Topic = emqx_message:topic(Msg),
            Who = tightbeam_tap_who:known(ClientInfo),
            case is_told(Who, Topic) andalso tightbeam_message:tag(Msg) =:= undefined of
                true ->
                    tightbeam_tap_counts:message(Counted, emqx_message:qos(Msg), Topic, Wanted),
                    message(Type, Who, Topic, Msg, Fact, Wanted);
                false ->
                    ok
            end
    end.

%% @doc A message does not reach this receiver.
-spec on_delivery_dropped(map(), term(), atom()) -> ok.
on_delivery_dropped(ClientInfo, Msg, Reason) ->
    dropped(tightbeam_tap_who:known(ClientInfo), Msg, Reason).

%% @doc A message has no receiver at all (`no_subscribers'), or was taken out of EMQX for a reason of its own.
-spec on_dropped(term(), map(), atom()) -> ok.
on_dropped(Msg, _By, Reason) ->
    dropped(tightbeam_tap_who:publisher(Msg), Msg, Reason).

dropped(Who, Msg, Reason) ->
    case tightbeam_tap_wanted:get() of
        off ->
            ok;
        Wanted ->
            Topic = emqx_message:topic(Msg),
            case is_told(Who, Topic) andalso tightbeam_message:tag(Msg) =:= undefined of
                true ->
                    tightbeam_tap_counts:dropped(Reason, Topic, Wanted),
                    message(dropped_type(Reason), Who, Topic, Msg, Reason, Wanted);
                false ->
                    ok
            end
    end.

%% That nobody subscribes is common and no fault: it is asked for by itself.
dropped_type(no_subscribers) -> no_subscribers;
dropped_type(_) -> dropped.

%% The service knows what it publishes. `$SYS/' is EMQX's own, `$dm/' has outcomes.
is_told(service, _Topic) -> false;
is_told(_Who, <<"$SYS/", _/binary>>) -> false;
is_told(_Who, <<"$dm/", _/binary>>) -> false;
is_told(_Who, _Topic) -> true.

message(Type, Who, Topic, Msg, Fact, Wanted) ->
    case tightbeam_tap_wanted:wants(Type, Who, Topic, Wanted) of
        true ->
            Trace = trace(Msg),
            %% What went wrong is told whatever the sample.
            case Fact =/= none orelse tightbeam_tap_wanted:is_sampled(Trace, Wanted) of
                true ->
                    Facts = {
                        Topic, emqx_message:qos(Msg), emqx_message:get_flag(retain, Msg, false), byte_size(emqx_message:payload(Msg)),
                        Trace, Fact
                    },
                    collect(event_type(Type), Who, Facts);
                false ->
                    ok
            end;
        false ->
            ok
    end.

event_type(no_subscribers) -> dropped;
event_type(Type) -> Type.

%% The trace of a message: its publisher's, else one that follows from the broker's message ID, so that all nodes have the
%% same for publish, deliveries and acknowledgements, and none has to remember it. A digest, for the ID itself is no
%% random number, which sampling by trace ID asks for (W3C Trace Context, level 2).
trace(Msg) ->
    case tightbeam_request:traceparent(Msg) of
        undefined -> erlang:md5(emqx_message:id(Msg));
        Traceparent -> Traceparent
    end.

%%--------------------------------------------------------------------

with_wanted(Tell) ->
    case tightbeam_tap_wanted:get() of
        off -> ok;
        Wanted -> Tell(Wanted)
    end.

tell(Type, Who, Facts, Wanted) ->
    case tightbeam_tap_wanted:wants(Type, Who, Wanted) of
        true -> collect(Type, Who, Facts);
        false -> ok
    end.

tell_on(Type, Who, Topic, Facts, Wanted) ->
    case tightbeam_tap_wanted:wants(Type, Who, Topic, Wanted) of
        true -> collect(Type, Who, Facts);
        false -> ok
    end.

collect(Type, Who, Facts) ->
    tightbeam_tap_collector:collect(Type, {Type, erlang:system_time(millisecond), Who, Facts}).
