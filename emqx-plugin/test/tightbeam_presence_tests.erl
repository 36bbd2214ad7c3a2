%% Lifecycle events: what is published when, and by nobody else.
-module(tightbeam_presence_tests).
-include_lib("eunit/include/eunit.hrl").

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"nothing is published before the service wants it", fun unwanted/0},
        {"a connection's begin and end have one number, and its session one identifier", fun connection/0},
        {"the ends of connections have the names that the service gave", fun reasons/0},
        {"a SUBSCRIBE is one event, and so is an UNSUBSCRIBE", fun subscriptions/0},
        {"the rest of a SUBSCRIBE that was granted in part is told before what comes next", fun granted_in_part/0},
        {"the service's own connections and client IDs with wildcards have no events", fun without_events/0},
        {"a client that has proved who it is and may not connect is told of", fun connect_failed/0},
        {"nobody else publishes there", fun others/0},
        {"a certificate's ID is the principal", fun certificate/0}
    ]).

want() ->
    Version = integer_to_binary(erlang:unique_integer([positive])),
    tightbeam_service:wants(<<"tightbeam-tap\t1\t", Version/binary, "\npresence\nreason\tnormal\tCLIENT_INITIATED_DISCONNECT\n"
        "reason\tkeepalive_timeout\tMQTT_KEEP_ALIVE_TIMEOUT\nevent\tpublish_in\n">>),
    ok = tightbeam_tap_keeper:now().

routed() ->
    receive
        {routed, Msg} -> [{emqx_message:topic(Msg), emqx_message:payload(Msg)} | routed()]
    after 0 -> []
    end.

value(Name, Json) ->
    case re:run(Json, <<"\"", Name/binary, "\":(\"([^\"]*)\"|[^,}]*)">>, [{capture, all_but_first, binary}]) of
        {match, [_, Text]} -> Text;
        {match, [Other]} -> Other;
        nomatch -> undefined
    end.

client() -> client(<<"lock/7">>).
client(ClientId) -> #{clientid => ClientId, username => <<"lock">>, peerhost => {192, 0, 2, 7}, mountpoint => undefined}.
conninfo() -> #{peername => {{192, 0, 2, 7}, 5000}, connected_at => 1000, clean_start => false, expiry_interval => 0, socktype => tcp}.

begins() -> begins(client()).
begins(Client) ->
    emqx_hooks:run('session.created', [Client, #{created_at => 999}]),
    emqx_hooks:run('client.connected', [Client, conninfo()]).
ends(Reason) -> emqx_hooks:run('client.disconnected', [client(), Reason, conninfo()]).

unwanted() ->
    begins(),
    ends(normal),
    ?assertEqual([], routed()).

connection() ->
    want(),
    begins(),
    ends({shutdown, normal}),
    [{Topic, Begin}, {EndTopic, End}] = routed(),
    ?assertEqual(<<"$aws/events/presence/connected/lock/7">>, Topic),
    ?assertEqual(<<"$aws/events/presence/disconnected/lock/7">>, EndTopic),
    ?assertEqual(<<"lock/7">>, value(<<"clientId">>, Begin)),
    ?assertEqual(<<"connected">>, value(<<"eventType">>, Begin)),
    ?assertEqual(<<"disconnected">>, value(<<"eventType">>, End)),
    ?assertEqual(<<"192.0.2.7">>, value(<<"ipAddress">>, Begin)),
    ?assertEqual(undefined, value(<<"ipAddress">>, End)),
    ?assertEqual(<<"lock">>, value(<<"principalIdentifier">>, Begin)),
    ?assertEqual(<<"true">>, value(<<"clientInitiatedDisconnect">>, End)),
    ?assertEqual(<<"CLIENT_INITIATED_DISCONNECT">>, value(<<"disconnectReason">>, End)),
    Version = value(<<"versionNumber">>, Begin),
    ?assertEqual(Version, value(<<"versionNumber">>, End)),
    Session = value(<<"sessionIdentifier">>, Begin),
    ?assertMatch({match, _}, re:run(Session, "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")),
    ?assertEqual(Session, value(<<"sessionIdentifier">>, End)),
    emqx_hooks:run('session.resumed', [client(), #{created_at => 999}]),
    emqx_hooks:run('client.connected', [client(), conninfo()]),
    [{_, Again}] = routed(),
    ?assertEqual(Session, value(<<"sessionIdentifier">>, Again)),
    ?assert(binary_to_integer(value(<<"versionNumber">>, Again)) > binary_to_integer(Version)).

reasons() ->
    want(),
    begins(),
    _ = routed(),
    Name = fun(Reason) ->
        ends(Reason),
        [{_, End}] = routed(),
        {value(<<"disconnectReason">>, End), value(<<"clientInitiatedDisconnect">>, End)}
    end,
    ?assertEqual({<<"MQTT_KEEP_ALIVE_TIMEOUT">>, <<"false">>}, Name(keepalive_timeout)),
    ?assertEqual({<<"CLIENT_ERROR">>, <<"false">>}, Name({shutdown, #{cause => invalid_topic}})),
    ?assertEqual({<<"UNKNOWN">>, <<"false">>}, Name(something_new)).

subscribe(Filters, Granted) ->
    _ = emqx_hooks:run_fold('client.subscribe', [client(), #{}], [{Filter, #{qos => 0}} || Filter <- Filters]),
    [emqx_hooks:run('session.subscribed', [client(), Filter, #{qos => 0}]) || Filter <- Granted],
    ok.

subscriptions() ->
    want(),
    subscribe([<<"a">>, <<"b/#">>], [<<"a">>, <<"b/#">>]),
    [{<<"$aws/events/subscriptions/subscribed/lock/7">>, Subscribed}] = routed(),
    ?assertMatch({match, _}, re:run(Subscribed, <<"\"topics\":\\[\"a\",\"b/#\"\\]">>)),
    _ = emqx_hooks:run_fold('client.unsubscribe', [client(), #{}], [{<<"a">>, #{}}, {{share, <<"g">>, <<"b">>}, #{}}]),
    [{<<"$aws/events/subscriptions/unsubscribed/lock/7">>, Unsubscribed}] = routed(),
    ?assertMatch({match, _}, re:run(Unsubscribed, <<"\"topics\":\\[\"a\",\"\\$share/g/b\"\\]">>)),
    emqx_hooks:run('session.subscribed', [client(), <<"by/rest">>, #{qos => 0}]),
    ?assertMatch([{<<"$aws/events/subscriptions/subscribed/lock/7">>, _}], routed()).

granted_in_part() ->
    want(),
    subscribe([<<"a">>, <<"b">>, <<"c">>], [<<"a">>, <<"c">>]),
    ?assertEqual([], routed()),
    ends(normal),
    [{<<"$aws/events/subscriptions/subscribed/lock/7">>, Subscribed}, {<<"$aws/events/presence/disconnected/lock/7">>, _}] = routed(),
    ?assertMatch({match, _}, re:run(Subscribed, <<"\"topics\":\\[\"a\",\"c\"\\]">>)).

without_events() ->
    want(),
    begins((client(<<"tightbeam-1">>))#{username => <<"tightbeam">>}),
    begins(client(<<"a+b">>)),
    begins(client(<<"a#">>)),
    ?assertEqual([], routed()).

connect_failed() ->
    want(),
    Answer = fun(Type) ->
        emqx_exhook_server:set(undefined, {ok, #{type => Type, value => {bool_result, false}}}),
        emqx_hooks:run_fold('client.authenticate', [client()], ok)
    end,
    ?assertMatch({error, not_authorized}, Answer('STOP_AND_RETURN')),
    ?assertEqual([], routed()),
    ?assertMatch({error, not_authorized}, Answer('CONTINUE')),
    [{<<"$aws/events/presence/connect_failed/lock/7">>, Failed}] = routed(),
    ?assertEqual(<<"AUTHORIZATION_FAILED">>, value(<<"connectFailureReason">>, Failed)),
    ?assertEqual(<<"connect_failed">>, value(<<"eventType">>, Failed)),
    ?assertEqual(<<"192.0.2.7">>, value(<<"ipAddress">>, Failed)),
    ?assertEqual(undefined, value(<<"versionNumber">>, Failed)).

others() ->
    want(),
    Topic = <<"$aws/events/presence/connected/lock">>,
    Authorize = fun(Asked) -> emqx_hooks:run_fold('client.authorize', [client(), #{action_type => publish, qos => 1, retain => false}, Asked], #{result => allow}) end,
    ?assertMatch(#{result := deny}, Authorize(Topic)),
    ?assertMatch(#{result := deny}, Authorize(<<"$delayed/1/", Topic/binary>>)),
    _ = emqx:publish(emqx_message:make(<<"rule">>, 0, Topic, <<"{}">>, #{}, #{})),
    _ = emqx:publish(emqx_message:make(<<"rule">>, 0, <<"$delayed/1/", Topic/binary>>, <<"{}">>, #{}, #{})),
    ?assertEqual([], routed()).

certificate() ->
    want(),
    emqx_hooks:run('client.connect', [(conninfo())#{socktype => ssl, peercert => <<"der">>}, #{}]),
    begins(),
    [{_, Begin}] = routed(),
    ?assertEqual(tightbeam_json:hex(crypto:hash(sha256, <<"der">>)), value(<<"principalIdentifier">>, Begin)).
