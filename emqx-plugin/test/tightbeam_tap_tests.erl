%% The event tap: what is told, what is not, and what is lost.
-module(tightbeam_tap_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [wait/1]).
%% A callback.
-export([refuse/2]).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"nothing is told before the service says what it wants", fun nothing_wanted/0},
        {"a connection's life is told in order", fun connection/0},
        {"who refused a client is told", fun refused/0},
        {"publish, delivery and acknowledgement of a message share its trace", fun message/0},
        {"direct messages, EMQX's own and those of the service are no events", fun not_told/0},
        {"topic filters, client patterns and the sample are applied", fun selected/0},
        {"what went wrong is told whatever the sample", fun failures/0},
        {"a PUBACK that says no is told, where EMQX says it", fun rejected/0},
        {"refusals that ExHook has not made are told", fun denied/0},
        {"what does not fit is counted, and nobody waits", fun overload/0},
        {"what the service has not taken is counted", fun unanswered/0},
        {"messages are counted by direction, QoS and topic group", fun counts/0},
        {"an answer that cannot be read changes nothing, one that wants nothing ends it", fun configuration/0}
    ]).

-define(ALL, <<"event\tconnect\nevent\tdisconnect\nevent\tsubscribe\nevent\tunsubscribe\nevent\tpublish_in\nevent\tpublish_out\n"
    "event\tpublish_ack\nevent\tdropped\nevent\tno_subscribers\nevent\tdenied\nevent\tsession\n">>).

want(Lines) ->
    Version = integer_to_binary(erlang:unique_integer([positive])),
    tightbeam_service:wants(<<"tightbeam-tap\t1\t", Version/binary, "\n", Lines/binary>>),
    tightbeam_service:told_to(self()),
    ok = tightbeam_tap_keeper:now(),
    Version = tightbeam_tap_wanted:version(),
    tightbeam_channels:flush().

%% Events, in the order in which they were told; what the keeper tells of its own time is none.
told() ->
    ok = tightbeam_tap_collector:flush(),
    [Entry || Entry <- received(), not lists:member(value(<<"type">>, Entry), [<<"Count">>, <<"Missed">>])].

received() ->
    receive
        {told, Payload} -> entries(Payload) ++ received();
        {asked_for, _} -> received()
    after 0 -> []
    end.

entries(Payload) ->
    {match, Found} = re:run(Payload, "\\{[^{}]*\\}", [global, {capture, first, binary}]),
    lists:append(Found).

types(Entries) -> [value(<<"type">>, Entry) || Entry <- Entries].

value(Name, Entry) ->
    case re:run(Entry, <<"\"", Name/binary, "\":(\"([^\"]*)\"|[^,}]*)">>, [{capture, all_but_first, binary}]) of
        {match, [_, Text]} -> Text;
        {match, [Other]} -> Other;
        nomatch -> undefined
    end.

client() -> client(<<"c1">>).
client(ClientId) ->
    #{
        clientid => ClientId, username => <<"u\"1">>, peername => {{192, 0, 2, 7}, 50123}, peerhost => {192, 0, 2, 7},
        mountpoint => undefined, cn => <<"lock">>, dn => <<"CN=lock">>
    }.

conninfo() ->
    #{
        clientid => <<"c1">>, username => <<"u\"1">>, peername => {{192, 0, 2, 7}, 50123}, proto_ver => 5, proto_name => <<"MQTT">>,
        clean_start => false, expiry_interval => 60000, keepalive => 30, socktype => tcp, connected_at => 1000, password => <<"secret">>
    }.

msg(From, QoS, Topic, Props) ->
    emqx_message:make(From, QoS, Topic, <<"payload">>, #{retain => true}, #{
        username => <<"u">>, peerhost => {192, 0, 2, 8}, proto_ver => 5, properties => Props
    }).

publish(Msg) -> emqx_hooks:run_fold('message.publish', [], Msg).

nothing_wanted() ->
    tightbeam_service:told_to(self()),
    ok = emqx_hooks:run('client.connected', [client(), conninfo()]),
    _ = publish(msg(<<"c1">>, 1, <<"a/b">>, #{})),
    ?assertEqual([], told()),
    ?assertEqual(0, tightbeam_tap_collector:waiting()).

connection() ->
    want(?ALL),
    Will = emqx_message:to_map(msg(<<"c1">>, 1, <<"gone">>, #{})),
    emqx_cm:put_channel(<<"c1">>, self(), #{conninfo => conninfo(), will_msg => Will}),
    Before = erlang:system_time(millisecond),
    ok = emqx_hooks:run('session.resumed', [client(), #{}]),
    ok = emqx_hooks:run('client.connected', [client(), conninfo()]),
    ok = emqx_hooks:run('session.subscribed', [client(), <<"a/#">>, #{qos => 1, rh => 0, rap => 0, nl => 1, is_new => true, x => self()}]),
    ok = emqx_hooks:run('session.subscribed', [client(), {share, <<"g">>, <<"a/#">>}, #{qos => 0, rh => 0, rap => 0, nl => 0, is_new => true}]),
    ok = emqx_hooks:run('session.unsubscribed', [client(), <<"a/#">>, #{qos => 1}]),
    ok = emqx_hooks:run('client.disconnected', [client(), tcp_closed, (conninfo())#{disconnected_at => 4500}]),
    ok = emqx_hooks:run('session.terminated', [client(), expired, #{}]),
    Entries = told(),
    ?assertEqual(
        [<<"Session">>, <<"Connect">>, <<"Subscribe">>, <<"Subscribe">>, <<"Unsubscribe">>, <<"Disconnect">>, <<"Session">>],
        types(Entries)
    ),
    [Resumed, Connect, Subscribe, Shared, Unsubscribe, Disconnect, Expired] = Entries,
    {match, [At]} = re:run(
        Connect,
        <<"^\\{\"type\":\"Connect\",\"at\":([0-9]+),\"clientid\":\"c1\",\"username\":\"u\\\\\"1\",\"cn\":\"lock\",\"dn\":\"CN=lock\","
            "\"peerhost\":\"192\\.0\\.2\\.7\",\"peerport\":50123,\"protoVer\":5,\"outcome\":\"accepted\",\"cleanStart\":false,"
            "\"expiryMs\":60000,\"keepAlive\":30,\"socket\":\"tcp\",\"will\":true,\"willTopic\":\"gone\"\\}$">>,
        [{capture, all_but_first, binary}]
    ),
    ?assert(binary_to_integer(At) >= Before andalso binary_to_integer(At) =< erlang:system_time(millisecond)),
    ?assertEqual({<<"resumed">>, <<"expired">>}, {value(<<"outcome">>, Resumed), value(<<"outcome">>, Expired)}),
    ?assertEqual([<<"a/#">>, <<"1">>, <<"1">>, <<"true">>], [value(K, Subscribe) || K <- [<<"topic">>, <<"qos">>, <<"nl">>, <<"isNew">>]]),
    ?assertEqual(<<"$share/g/a/#">>, value(<<"topic">>, Shared)),
    ?assertEqual(<<"a/#">>, value(<<"topic">>, Unsubscribe)),
    ?assertEqual({<<"tcp_closed">>, <<"3500">>}, {value(<<"reason">>, Disconnect), value(<<"durationMs">>, Disconnect)}),
    [?assertEqual(nomatch, binary:match(Entry, <<"secret">>)) || Entry <- Entries].

refused() ->
    want(?ALL),
    Refuse = fun(Reason) -> emqx_hooks:run_fold('client.connack', [conninfo(), Reason], #{}) end,
    %% By an authenticator before ExHook, or before anybody was asked.
    _ = Refuse(bad_username_or_password),
    %% By the service.
    ok = emqx_hooks:put('client.authenticate', {?MODULE, refuse, []}, 100),
    _ = emqx_hooks:run_fold('client.authenticate', [client()], ignore),
    _ = Refuse(not_authorized),
    ok = emqx_hooks:del('client.authenticate', {?MODULE, refuse}),
    %% By the guard, where nobody answers.
    ok = tightbeam_config:put(#{guard => deny}),
    _ = emqx_hooks:run_fold('client.authenticate', [client()], ignore),
    _ = Refuse(not_authorized),
    ok = tightbeam_config:put(#{guard => off}),
    _ = emqx_hooks:run_fold('client.connack', [conninfo(), success], #{}),
    Entries = told(),
    ?assertEqual(
        [{<<"bad_username_or_password">>, <<"broker">>}, {<<"not_authorized">>, <<"provider">>}, {<<"not_authorized">>, <<"guard">>}],
        [{value(<<"outcome">>, Entry), value(<<"by">>, Entry)} || Entry <- Entries]
    ),
    %% It has not proved its name.
    ?assertEqual([undefined, undefined, undefined], [value(<<"username">>, Entry) || Entry <- Entries]).

refuse(_Credential, _Result) -> {stop, {error, not_authorized}}.

message() ->
    want(?ALL),
    ok = emqx_hooks:run('client.connected', [client(), conninfo()]),
    Msg = publish(msg(<<"c1">>, 1, <<"a/b">>, #{})),
    Receiver = (client(<<"c2">>))#{username := undefined},
    _ = emqx_hooks:run_fold('message.delivered', [Receiver], Msg),
    ok = emqx_hooks:run('message.acked', [Receiver, Msg]),
    %% What follows from a message ID is the same wherever.
    [_, In, Out, Ack] = lists:sort(fun(A, B) -> order(A) =< order(B) end, told()),
    ?assertEqual([<<"Publish-In">>, <<"Publish-Out">>, <<"Publish-Ack">>], types([In, Out, Ack])),
    [TraceId, TraceId, TraceId] = [value(<<"traceId">>, Entry) || Entry <- [In, Out, Ack]],
    ?assertMatch({match, _}, re:run(TraceId, "^[0-9a-f]{32}$")),
    ?assertEqual([<<"c1">>, <<"c2">>, <<"c2">>], [value(<<"clientid">>, Entry) || Entry <- [In, Out, Ack]]),
    ?assertEqual(
        [<<"a/b">>, <<"1">>, <<"true">>, <<"7">>, <<"50123">>],
        [value(K, In) || K <- [<<"topic">>, <<"qos">>, <<"retain">>, <<"payloadBytes">>, <<"peerport">>]]
    ),
    Trace = <<"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01">>,
    _ = publish(msg(<<"c1">>, 0, <<"a/b">>, #{'User-Property' => [{<<"traceparent">>, Trace}]})),
    [Traced] = told(),
    ?assertEqual({Trace, undefined}, {value(<<"traceparent">>, Traced), value(<<"traceId">>, Traced)}).

%% Two collectors have no order between them.
order(Entry) ->
    Type = value(<<"type">>, Entry),
    length(lists:takewhile(fun(T) -> T =/= Type end, [<<"Connect">>, <<"Publish-In">>, <<"Publish-Out">>, <<"Publish-Ack">>])).

not_told() ->
    want(?ALL),
    _ = publish(msg(<<"c1">>, 0, <<"$SYS/brokers">>, #{})),
    ok = emqx_hooks:run('message.dropped', [msg(<<"c1">>, 0, <<"$SYS/brokers">>, #{}), #{node => node()}, no_subscribers]),
    Own = emqx_message:make(<<"tightbeam-1">>, 1, <<"a/b">>, <<>>, #{}, #{username => <<"tightbeam">>}),
    _ = publish(Own),
    ok = emqx_hooks:run('client.connected', [(client())#{username := <<"tightbeam">>}, conninfo()]),
    ?assertEqual([], told()),
    _ = publish(msg(<<"rule">>, 0, <<"a/b">>, #{})),
    ?assertEqual([<<"Publish-In">>], types(told())).

selected() ->
    want(<<"event\tpublish_in\ta/+/c\tb/#\nclients\tlock-*\t*-lamp\tone\n">>),
    In = fun(ClientId, Topic) -> _ = publish(msg(ClientId, 0, Topic, #{})), length(told()) end,
    [?assertEqual(1, In(ClientId, Topic)) || ClientId <- [<<"lock-17">>, <<"a-lamp">>, <<"one">>], Topic <- [<<"a/x/c">>, <<"b">>, <<"b/c/d">>]],
    [?assertEqual(0, In(ClientId, <<"b">>)) || ClientId <- [<<"lock">>, <<"lamp">>, <<"one-more">>, <<>>]],
    [?assertEqual(0, In(<<"one">>, Topic)) || Topic <- [<<"a/c">>, <<"a/x/c/d">>, <<"c">>, <<"$b/c">>, <<"bb">>]],
    ok = emqx_hooks:run('client.connected', [client(<<"one">>), conninfo()]),
    ?assertEqual([], told()),
    want(<<"event\tpublish_in\nsample\t1073741824\n">>),
    _ = [publish(msg(<<"c1">>, 0, <<"a">>, #{})) || _ <- lists:seq(1, 4000)],
    Sampled = length(told()),
    ?assert(Sampled > 800 andalso Sampled < 1200),
    Traced = fun(Last) ->
        Trace = <<"00-0af7651916cd43dd8448eb21", Last/binary, "-b7ad6b7169203331-01">>,
        _ = publish(msg(<<"c1">>, 0, <<"a">>, #{'User-Property' => [{<<"traceparent">>, Trace}]})),
        length(told())
    end,
    ?assertEqual({1, 0}, {Traced(<<"3fffffff">>), Traced(<<"40000000">>)}).

failures() ->
    want(<<"sample\t0\nevent\tpublish_in\nevent\tdropped\nevent\tconnect\nevent\tno_subscribers\tasked/#\n">>),
    Msg = msg(<<"c1">>, 1, <<"a">>, #{}),
    _ = publish(Msg),
    ?assertEqual([], told()),
    ok = emqx_hooks:run('delivery.dropped', [client(<<"c2">>), Msg, queue_full]),
    ok = emqx_hooks:run('message.dropped', [Msg, #{node => node()}, no_subscribers]),
    [Dropped] = told(),
    ?assertEqual(
        [<<"Dropped">>, <<"queue_full">>, <<"c2">>, <<"a">>],
        [value(K, Dropped) || K <- [<<"type">>, <<"reason">>, <<"clientid">>, <<"topic">>]]
    ),
    ok = emqx_hooks:run('message.dropped', [msg(<<"c1">>, 1, <<"asked/for">>, #{}), #{node => node()}, no_subscribers]),
    ?assertMatch([<<"no_subscribers">>], [value(<<"reason">>, Entry) || Entry <- told()]).

rejected() ->
    want(<<"sample\t0\nevent\tpublish_ack\n">>),
    Msg = msg(<<"c1">>, 1, <<"a">>, #{}),
    Ack = fun(Info) ->
        ok = emqx_hooks:run('delivery.completed', [Msg, Info#{clientid => <<"c2">>, session_birth_time => 1}]),
        ok = emqx_hooks:run('message.acked', [client(<<"c2">>), Msg])
    end,
    ok = Ack(#{reason_code => 0}),
    ok = Ack(#{}),
    ?assertEqual([], told()),
    ok = Ack(#{reason_code => 16#97}),
    Codes = [value(<<"code">>, Entry) || Entry <- told()],
    case tightbeam_emqx:has_hook_point('client.handle_info') of
        true -> ?assertEqual([<<"151">>], Codes);
        false -> ?assertEqual([], Codes)
    end.

denied() ->
    want(?ALL),
    Complete = fun(Action, Topic, Result, Source) ->
        emqx_hooks:run('client.check_authz_complete', [client(), Action, Topic, Result, Source])
    end,
    ok = Complete(#{action_type => publish, qos => 1, retain => true}, <<"a">>, deny, exhook),
    ok = Complete(#{action_type => publish, qos => 1, retain => true}, <<"a">>, allow, cache),
    ok = Complete(#{action_type => publish, qos => 1, retain => true}, <<"a">>, deny, cache),
    ok = Complete(#{action_type => subscribe, qos => 2}, <<"b/#">>, deny, file),
    [Publish, Subscribe] = told(),
    ?assertEqual(
        [<<"Denied">>, <<"publish">>, <<"a">>, <<"1">>, <<"true">>, <<"cache">>],
        [value(K, Publish) || K <- [<<"type">>, <<"action">>, <<"topic">>, <<"qos">>, <<"retain">>, <<"by">>]]
    ),
    ?assertEqual([<<"subscribe">>, <<"b/#">>, <<"file">>], [value(K, Subscribe) || K <- [<<"action">>, <<"topic">>, <<"by">>]]).

overload() ->
    want(?ALL),
    tightbeam_service:delay(1000),
    Happened = 45000,
    {Micros, _} = timer:tc(fun() -> [publish(msg(<<"c1">>, 0, <<"a">>, #{})) || _ <- lists:seq(1, Happened)] end),
    ?assert(Micros < 20_000_000),
    tightbeam_service:delay(0),
    Missed = fun() -> proplists:get_value(publish_in, tightbeam_tap_counts:missed()) end,
    wait(fun() -> tightbeam_tap_collector:waiting() =:= 0 end),
    ?assert(Missed() >= 1),
    ok = tightbeam_tap_collector:flush(),
    Entries = received(),
    Count = fun(Type, Of) -> [Entry || Entry <- Of, value(<<"type">>, Entry) =:= Type] end,
    Before = fun() -> lists:sum([binary_to_integer(value(<<"count">>, Entry)) || Entry <- Count(<<"Missed">>, Entries)]) end,
    ?assertEqual(Happened, length(Count(<<"Publish-In">>, Entries)) + Missed()),
    %% And is told itself, once.
    ok = tightbeam_tap_keeper:now(),
    Told = [Entry || Entry <- received(), value(<<"type">>, Entry) =:= <<"Missed">>],
    [?assertEqual(<<"Publish-In">>, value(<<"of">>, Entry)) || Entry <- Told],
    ?assertEqual(Missed(), Before() + lists:sum([binary_to_integer(value(<<"count">>, Entry)) || Entry <- Told])),
    ok = tightbeam_tap_keeper:now(),
    ?assertEqual([], [Entry || Entry <- received(), value(<<"type">>, Entry) =:= <<"Missed">>]).

unanswered() ->
    want(?ALL),
    tightbeam_service:fails(true),
    [publish(msg(<<"c1">>, 0, <<"a">>, #{})) || _ <- lists:seq(1, 7)],
    ok = tightbeam_tap_collector:flush(),
    ok = tightbeam_tap_keeper:now(),
    ?assertEqual(7, proplists:get_value(publish_in, tightbeam_tap_counts:missed())),
    tightbeam_service:fails(false),
    %% What was to be told of that meanwhile is told later.
    ok = tightbeam_tap_keeper:now(),
    Counted = [{value(<<"type">>, E), value(<<"count">>, E)} || E <- received()],
    ?assertEqual([{<<"Count">>, <<"7">>}, {<<"Missed">>, <<"7">>}], lists:sort(Counted)).

counts() ->
    want(<<"group\tdoors\tdoor/#\ngroup\tall\t#\n">>),
    ok = tightbeam_tap_keeper:now(),
    Door = msg(<<"c1">>, 1, <<"door/1">>, #{}),
    _ = publish(Door),
    _ = publish(msg(<<"c1">>, 2, <<"lamp/1">>, #{})),
    _ = publish(msg(<<"c1">>, 2, <<"$lamp/1">>, #{})),
    _ = emqx_hooks:run_fold('message.delivered', [client(<<"c2">>)], Door),
    _ = emqx_hooks:run_fold('message.delivered', [client(<<"c3">>)], Door),
    ok = emqx_hooks:run('message.acked', [client(<<"c2">>), Door]),
    ok = emqx_hooks:run('delivery.dropped', [client(<<"c2">>), Door, expired]),
    ok = emqx_hooks:run('client.connected', [client(), conninfo()]),
    _ = emqx_hooks:run_fold('client.connack', [conninfo(), banned], #{}),
    _ = emqx_hooks:run_fold('client.connack', [conninfo(), whatever], #{}),
    ok = tightbeam_tap_keeper:now(),
    Of = fun(Entry) -> [V || K <- [<<"what">>, <<"direction">>, <<"qos">>, <<"reason">>, <<"outcome">>, <<"group">>, <<"count">>], V <- [value(K, Entry)], V =/= undefined] end,
    ?assertEqual(
        lists:sort([
            [<<"message">>, <<"in">>, <<"1">>, <<"doors">>, <<"1">>],
            [<<"message">>, <<"in">>, <<"2">>, <<"all">>, <<"1">>],
            [<<"message">>, <<"in">>, <<"2">>, <<>>, <<"1">>],
            [<<"message">>, <<"out">>, <<"1">>, <<"doors">>, <<"2">>],
            [<<"message">>, <<"acked">>, <<"1">>, <<"doors">>, <<"1">>],
            [<<"dropped">>, <<"expired">>, <<"doors">>, <<"1">>],
            [<<"connect">>, <<"accepted">>, <<"1">>],
            [<<"connect">>, <<"banned">>, <<"1">>],
            [<<"connect">>, <<"other">>, <<"1">>]
        ]),
        lists:sort([Of(Entry) || Entry <- received(), value(<<"type">>, Entry) =:= <<"Count">>])
    ),
    ok = tightbeam_tap_keeper:now(),
    ?assertEqual([], [E || E <- received(), value(<<"type">>, E) =:= <<"Count">>]).

configuration() ->
    want(?ALL),
    Version = tightbeam_tap_wanted:version(),
    [
        begin
            tightbeam_service:wants(Text),
            ok = tightbeam_tap_keeper:now(),
            ?assertEqual(Version, tightbeam_tap_wanted:version())
        end
     || Text <- [<<>>, <<"tightbeam-tap\t2\tx\n">>, <<"tightbeam-tap\t1\tx\nsample\tmany\n">>, <<0, 1, 2>>]
    ],
    tightbeam_service:fails(true),
    ok = tightbeam_tap_keeper:now(),
    ?assertEqual(Version, tightbeam_tap_wanted:version()),
    tightbeam_service:fails(false),
    tightbeam_service:wants(nothing),
    ok = tightbeam_tap_keeper:now(),
    ?assertEqual(off, tightbeam_tap_wanted:get()),
    %% A later service may know of more.
    tightbeam_service:wants(<<"tightbeam-tap\t1\tlater\nnonsense\tx\nevent\tunheard_of\ta\nevent\tconnect\n">>),
    ok = tightbeam_tap_keeper:now(),
    ?assertEqual(<<"later">>, tightbeam_tap_wanted:version()).
