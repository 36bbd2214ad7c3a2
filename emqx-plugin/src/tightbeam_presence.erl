%% @doc Lifecycle events in AWS IoT's form: JSON messages on `$aws/events/presence/...' and `$aws/events/subscriptions/...',
%% published by the process of the connection that they are about. So there is one for each event, however many services
%% and nodes there are, in the order in which a connection has them, and whatever EMQX's own rules allow to clients. Nobody
%% else can publish there (tightbeam_access, tightbeam_sender). Wanted by the service (tightbeam_tap_wanted), which
%% also says what EMQX's reasons are called. Form: AWS IoT Core Developer Guide, "Lifecycle events".
-module(tightbeam_presence).

-export([on_session/2, on_connected/2, on_disconnected/3, on_subscribe/3, on_subscribed/3, on_unsubscribe/3]).
-export([connect_failed/2, is_publishing/0]).

-define(PREFIX, "$aws/events/").
%% In a connection's process: when the session began; what its events have in common; the filters of one SUBSCRIBE.
-define(SESSION, '$tightbeam_session').
-define(CONNECTION, '$tightbeam_presence').
-define(SUBSCRIBING, '$tightbeam_subscribing').
-define(PUBLISHING, '$tightbeam_publishing').
%% Bytes. A topic has at most 65,535 (MQTT 5, section 1.5.4).
-define(MAX_CLIENT_ID, 65000).
-define(QOS, 1).

%% @doc Is this process publishing such an event, just now?
-spec is_publishing() -> boolean().
is_publishing() ->
    get(?PUBLISHING) =:= true.

%% @doc `session.created' and `session.resumed' come before `client.connected', in the same process.
-spec on_session(map(), map()) -> ok.
on_session(_ClientInfo, #{created_at := At}) when is_integer(At) ->
    _ = put(?SESSION, At),
    ok;
on_session(_ClientInfo, _Session) ->
    ok.

-spec on_connected(map(), map()) -> ok.
on_connected(ClientInfo, ConnInfo) ->
    %% Kept whether or not anybody wants it now: the end has the same number, and may be wanted.
    Version = erlang:system_time(microsecond),
    _ = put(?CONNECTION, {maps:get(clientid, ClientInfo, <<>>), Version}),
    told(ClientInfo, fun(_Names) ->
        publish(<<"presence/connected/">>, <<"connected">>, ClientInfo, [
            {<<"ipAddress">>, address(ClientInfo, ConnInfo)}, {<<"versionNumber">>, Version}
        ])
    end).

-spec on_disconnected(map(), term(), map()) -> ok.
on_disconnected(ClientInfo, Reason, ConnInfo) ->
    told(ClientInfo, fun(Names) ->
        flush_subscribed(ClientInfo),
        Name = name(Reason, Names),
        publish(<<"presence/disconnected/">>, <<"disconnected">>, ClientInfo, [
            {<<"clientInitiatedDisconnect">>, Name =:= <<"CLIENT_INITIATED_DISCONNECT">>},
            {<<"disconnectReason">>, Name},
            {<<"versionNumber">>, version(ClientInfo, ConnInfo)}
        ])
    end).

%% @doc A client that has proved who it is may not connect. Of one that has not, nothing is told: anybody could bring
%% about events of anybody.
-spec connect_failed(map(), tightbeam_facts:facts()) -> ok.
connect_failed(ClientInfo, Facts) ->
    told(ClientInfo, fun(_Names) ->
        publish(<<"presence/connect_failed/">>, <<"connect_failed">>, ClientInfo, uuid(make_ref()), Facts, [
            {<<"connectFailureReason">>, <<"AUTHORIZATION_FAILED">>}, {<<"ipAddress">>, address(ClientInfo, #{})}
        ])
    end).

%% @doc What a SUBSCRIBE has of filters that are allowed; `session.subscribed' comes for each.
-spec on_subscribe(map(), term(), list()) -> ok.
on_subscribe(ClientInfo, _Props, Filters) ->
    told(ClientInfo, fun(_Names) ->
        flush_subscribed(ClientInfo),
        _ = put(?SUBSCRIBING, {length(Filters), []}),
        ok
    end).

-spec on_subscribed(map(), term(), map()) -> ok.
on_subscribed(ClientInfo, Filter, _SubOpts) ->
    told(ClientInfo, fun(_Names) ->
        case get(?SUBSCRIBING) of
            {Left, Filters} when Left > 1 ->
                _ = put(?SUBSCRIBING, {Left - 1, [Filter | Filters]}),
                ok;
            {_, Filters} ->
                _ = erase(?SUBSCRIBING),
                subscribed(ClientInfo, [Filter | Filters]);
            %% By the REST API, or automatically.
            undefined ->
                subscribed(ClientInfo, [Filter])
        end
    end).

%% The rest of a SUBSCRIBE of which EMQX has not granted every filter (a quota).
flush_subscribed(ClientInfo) ->
    case erase(?SUBSCRIBING) of
        {_, [_ | _] = Filters} -> subscribed(ClientInfo, Filters);
        _ -> ok
    end.

subscribed(ClientInfo, Newest) ->
    of_filters(<<"subscribed">>, ClientInfo, lists:reverse(Newest)).

-spec on_unsubscribe(map(), term(), list()) -> ok.
on_unsubscribe(ClientInfo, _Props, Filters) ->
    told(ClientInfo, fun(_Names) ->
        flush_subscribed(ClientInfo),
        of_filters(<<"unsubscribed">>, ClientInfo, [Filter || {Filter, _} <- Filters])
    end).

of_filters(_Type, _ClientInfo, []) ->
    ok;
of_filters(Type, ClientInfo, Filters) ->
    Topics = lists:join($,, [tightbeam_json:string(tightbeam_topic:filter_name(Filter)) || Filter <- Filters]),
    publish(<<"subscriptions/", Type/binary, $/>>, Type, ClientInfo, [{<<"topics">>, {json, [$[, Topics, $]]}}]).

%%--------------------------------------------------------------------

told(#{clientid := ClientId, username := Username}, Tell) when is_binary(ClientId) ->
    case tightbeam_tap_wanted:presence() of
        off ->
            ok;
        Names ->
            case Username =/= tightbeam_config:get(service_username) andalso is_told(ClientId) of
                true -> Tell(Names);
                false -> ok
            end
    end;
told(_ClientInfo, _Tell) ->
    ok.

%% AWS tells nothing of client IDs with wildcards, for no topic name can have them (MQTT 5, section 4.7.1).
is_told(ClientId) ->
    byte_size(ClientId) =< ?MAX_CLIENT_ID andalso binary:match(ClientId, [<<"#">>, <<"+">>]) =:= nomatch.

publish(Topic, Type, ClientInfo, Members) ->
    publish(Topic, Type, ClientInfo, session(ClientInfo), tightbeam_facts:of_connection(ClientInfo), Members).

publish(Topic, Type, #{clientid := ClientId} = ClientInfo, Session, Facts, Members) ->
    All =
        [
            {<<"clientId">>, ClientId}, {<<"timestamp">>, erlang:system_time(millisecond)}, {<<"eventType">>, Type},
            {<<"sessionIdentifier">>, Session}, {<<"principalIdentifier">>, principal(ClientInfo, Facts)}
        ] ++ Members,
    Payload = iolist_to_binary([${, lists:join($,, [member(Member) || {_, Value} = Member <- All, Value =/= undefined]), $}]),
    Msg = emqx_message:make(<<"tightbeam">>, ?QOS, <<?PREFIX, Topic/binary, ClientId/binary>>, Payload, #{}, #{}),
    _ = put(?PUBLISHING, true),
    try
        _ = emqx:publish(Msg),
        ok
    catch
        Class:Reason ->
            logger:error(#{msg => "tightbeam_presence_failed", clientid => ClientId, event => Type, class => Class, reason => Reason})
    after
        erase(?PUBLISHING)
    end.

member({Name, {json, Json}}) -> [$", Name, "\":", Json];
member({Name, Value}) -> tightbeam_json:member(Name, Value).

%% AWS's certificate ID is the SHA-256 of the certificate.
principal(_ClientInfo, #{certificate := Der}) -> tightbeam_json:hex(crypto:hash(sha256, Der));
principal(#{username := Username}, _Facts) when is_binary(Username), Username =/= <<>> -> Username;
principal(_ClientInfo, _Facts) -> undefined.

address(#{peerhost := Host}, _ConnInfo) when is_tuple(Host) -> Host;
address(_ClientInfo, #{peername := {Host, _}}) when is_tuple(Host) -> Host;
address(_ClientInfo, _ConnInfo) -> undefined.

%% The same for the life of the session, on whichever node and through however many connections: from what EMQX keeps with it.
session(#{clientid := ClientId}) ->
    Created =
        case get(?SESSION) of
            undefined -> created(emqx_cm:do_get_chan_info(ClientId, self()));
            At -> At
        end,
    uuid({ClientId, Created}).

%% A client that connected before the plugin ran.
created(#{session := #{created_at := At}}) -> At;
created(_) -> 0.

%% Version 8: made by a rule of one's own (RFC 9562, section 5.8).
uuid(Term) ->
    <<A:32, B:16, _:4, C:12, _:2, D:14, E:48, _/binary>> = crypto:hash(sha256, term_to_binary(Term)),
    iolist_to_binary(io_lib:format("~8.16.0b-~4.16.0b-8~3.16.0b-~4.16.0b-~12.16.0b", [A, B, C, D bor 16#8000, E])).

%% Of one connection the same at its begin and its end, and greater for each later one of the client: microseconds, as the node
%% has them that the client is connected to.
version(#{clientid := ClientId}, ConnInfo) ->
    case {get(?CONNECTION), ConnInfo} of
        {{ClientId, Version}, _} -> Version;
        {_, #{connected_at := At}} when is_integer(At) -> At * 1000;
        _ -> 0
    end.

name({shutdown, Reason}, Names) -> name(Reason, Names);
name(Reason, Names) when is_atom(Reason) -> maps:get(atom_to_binary(Reason), Names, <<"UNKNOWN">>);
name(Reason, Names) when is_binary(Reason) -> maps:get(Reason, Names, <<"UNKNOWN">>);
%% A frame that could not be read.
name(#{}, _Names) -> <<"CLIENT_ERROR">>;
name({frame_error, _}, _Names) -> <<"CLIENT_ERROR">>;
name(_, _Names) -> <<"UNKNOWN">>.
