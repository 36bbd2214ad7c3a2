%% Facts that ExHook's requests have no field for: what the service is asked, and what becomes of its answer. Each test runs
%% in a process of its own, the connection's.
-module(tightbeam_facts_tests).
-include_lib("eunit/include/eunit.hrl").
-import(tightbeam_channels, [authorize/3, wait/1]).

-define(NOBODY, ignore).
-define(ALLOW, {ok, #{type => 'STOP_AND_RETURN', value => {bool_result, true}}}).
-define(DENY, {ok, #{type => 'STOP_AND_RETURN', value => {bool_result, false}}}).
-define(UNLESS_WILL, {ok, #{type => 'CONTINUE', value => {bool_result, true}}}).
-define(CLIENT, #{clientid => <<"c">>, username => <<"u">>, listener => 'tcp:default'}).
-define(RETAINED, #{action_type => publish, qos => 1, retain => true}).

plugin_test_() ->
    tightbeam_channels:with_plugin([
        {"at CONNECT the service is asked with the facts, and ExHook is not", fun connect/0},
        {"TLS is told by the kind of listener, and a certificate only where a handshake verified it", fun transport/0},
        {"a publish is asked about with its retain flag, a subscription with its filter", fun actions/0},
        {"where no connection is known, what EMQX asks is told and no more", fun unknown/0},
        {"a receiver is asked about with the facts of its own connection", fun receiver/0},
        {"a provider before the service keeps its say, and one that does not answer its failed_action", fun providers/0},
        {"nobody publishes or subscribes where the plugin asks", fun reserved/0},
        {"a will that is refused closes the connection, and nothing more of it is authorized", fun refused_will/0},
        {"a will that is allowed is asked about once before the first authorization", fun allowed_will/0},
        {"a client that does nothing is asked about all the same", fun idle_will/0},
        {"a connection of which nothing is known cannot have its will allowed", fun unknown_will/0}
    ]).

connect() ->
    opened(#{}),
    answers(?ALLOW),
    Credential = (?CLIENT)#{password => <<"p">>},
    ?assertEqual(ok, authenticate(Credential)),
    {<<"tightbeam">>, 'client.authorize', Request} = question(),
    ?assertMatch(#{type := 'PUBLISH', clientinfo := #{password := <<"p">>}}, Request),
    ?assertEqual([<<"\"ask\":\"connect\"">>, <<"\"persistent\":false">>, <<"\"secureTransport\":false">>], facts(Request)),
    opened(#{clean_start => false}),
    ?assertEqual(ok, authenticate(Credential)),
    ?assert(tells(<<"\"persistent\":true">>)),
    opened(#{expiry_interval => 1000}),
    ?assertEqual(ok, authenticate(Credential)),
    ?assert(tells(<<"\"persistent\":true">>)),
    answers(?DENY),
    ?assertEqual({error, not_authorized}, authenticate(Credential)).

transport() ->
    Der = <<1, 2, 3>>,
    Told = fun(ConnInfo, ClientInfo) ->
        opened(ConnInfo),
        answers(?ALLOW),
        ok = authenticate(maps:merge(?CLIENT, ClientInfo)),
        {_, _, Request} = question(),
        facts(Request) -- [<<"\"ask\":\"connect\"">>, <<"\"persistent\":false">>]
    end,
    Tls = <<"\"secureTransport\":true">>,
    Clear = <<"\"secureTransport\":false">>,
    ?assertEqual([<<"\"certificate\":\"AQID\"">>, Tls], Told(#{socktype => ssl, peercert => Der}, #{})),
    ?assertEqual([Tls, <<"\"serverName\":\"a.example\"">>], Told(#{socktype => ssl, peercert => nossl}, #{peersni => <<"a.example">>})),
    ?assertEqual([Tls, <<"\"serverName\":null">>], Told(#{socktype => quic}, #{peersni => undefined})),
    ?assertEqual([Tls], Told(#{socktype => ws}, #{listener => 'wss:default', peersni => <<"a.example">>})),
    ?assertEqual([], Told(#{socktype => proxy, peercert => [{pp2_ssl_cn, <<"cn">>}]}, #{peersni => <<"a.example">>})),
    ?assertEqual([Clear], Told(#{socktype => ws, peercert => [{pp2_ssl_cn, <<"cn">>}]}, #{listener => <<"ws:default">>})),
    ?assertEqual([], Told(#{socktype => ws}, #{listener => 'quic:x'})),
    ?assertEqual([], Told(#{socktype => udp}, #{})).

actions() ->
    opened(#{}),
    answers(?ALLOW),
    ?assertEqual(allow, authorize(?CLIENT, ?RETAINED, <<"a/\"b">>)),
    {_, 'client.authorize', #{type := 'PUBLISH', topic := Asked, result := true} = Request} = question(),
    ?assertMatch(<<"$tightbeam/+/{", _/binary>>, Asked),
    ?assert(lists:member(<<"\"retain\":true">>, facts(Request))),
    ?assert(lists:member(<<"\"topic\":\"a/\\\"b\"">>, facts(Request))),
    ?assertEqual(allow, authorize(?CLIENT, #{action_type => subscribe, qos => 1}, {share, <<"g">>, <<"a/#">>})),
    {_, 'client.authorize', #{type := 'PUBLISH'} = Subscribe} = question(),
    [?assert(lists:member(Fact, facts(Subscribe))) || Fact <- [<<"\"ask\":\"subscribe\"">>, <<"\"topic\":\"a/#\"">>, <<"\"qos\":1">>]],
    %% Of EMQX 5.1 there is no more.
    ?assertEqual(allow, authorize(?CLIENT, publish, <<"a">>)),
    ?assert(tells(<<"\"ask\":\"publish\"">>)),
    answers(?DENY),
    ?assertEqual(deny, authorize(?CLIENT, ?RETAINED, <<"a">>)).

unknown() ->
    answers(?DENY),
    ?assertEqual(deny, authorize(?CLIENT, ?RETAINED, <<"a">>)),
    {_, _, Request} = question(),
    ?assertEqual([<<"\"ask\":\"publish\"">>, <<"\"qos\":1">>, <<"\"retain\":true">>, <<"\"topic\":\"a\"">>], facts(Request)).

receiver() ->
    answers(?ALLOW),
    _ = tightbeam_channels:receiver(<<"d">>, #{conninfo => #{proto_ver => 5, socktype => ssl}}),
    _ = tightbeam_channels:publish(<<"$dm/d/t">>, 1, []),
    {_, _, Request} = question(),
    [?assert(lists:member(Fact, facts(Request))) || Fact <- [<<"\"ask\":\"subscribe\"">>, <<"\"topic\":\"$dm/d/t\"">>, <<"\"secureTransport\":true">>]].

providers() ->
    opened(#{}),
    answers(?DENY),
    emqx_exhook_mgr:set_running([<<"other">>, <<"tightbeam">>]),
    ?assertEqual(allow, authorize(?CLIENT, ?RETAINED, <<"a">>)),
    emqx_exhook_mgr:set_running([]),
    ?assertEqual(allow, authorize(?CLIENT, ?RETAINED, <<"a">>)),
    emqx_exhook_mgr:set_running([<<"tightbeam">>, <<"other">>]),
    ?assertEqual(deny, authorize(?CLIENT, ?RETAINED, <<"a">>)),
    answers({error, timeout}),
    ?assertEqual(deny, authorize(?CLIENT, ?RETAINED, <<"a">>)),
    ?assertEqual({error, not_authorized}, authenticate(?CLIENT)),
    emqx_exhook_mgr:set_failed_action(ignore),
    ?assertEqual(allow, authorize(?CLIENT, ?RETAINED, <<"a">>)).

reserved() ->
    opened(#{}),
    answers(?ALLOW),
    Topics = [<<"$tightbeam/a">>, <<"$tightbeam/+/{}">>, <<"$delayed/1/$tightbeam/+/{}">>],
    [?assertEqual(deny, authorize(Client, Action, Topic)) || Topic <- Topics, Action <- [?RETAINED, publish], Client <- [?CLIENT, (?CLIENT)#{is_superuser => true}]],
    Mounted = (?CLIENT)#{mountpoint => <<"m/">>},
    ?assertEqual(deny, authorize(Mounted, ?RETAINED, <<"m/$tightbeam/a">>)),
    Filters = [<<"$tightbeam/#">>, <<"$tightbeam">>, <<"$share/g/$tightbeam/+/a">>, {share, <<"g">>, <<"$tightbeam/#">>}, <<"$queue/$tightbeam/#">>],
    [?assertEqual(deny, authorize(?CLIENT, Action, Filter)) || Filter <- Filters, Action <- [#{action_type => subscribe, qos => 0}, subscribe]],
    ?assertEqual(none, question()).

refused_will() ->
    on_approval(?DENY, #{topic => <<"w">>, flags => #{retain => true}}),
    ?assertEqual(deny, authorize(?CLIENT, #{action_type => publish, qos => 0, retain => false}, <<"a">>)),
    ?assert(tells(<<"\"will\":{\"topic\":\"w\",\"retain\":true}">>)),
    receive {disconnect, 16#87, not_authorized, _} -> ok after 0 -> ?assert(false) end,
    answers(?ALLOW),
    ?assertEqual(deny, authorize(?CLIENT, ?RETAINED, <<"w">>)),
    ?assertEqual(none, question()).

allowed_will() ->
    on_approval(?ALLOW, undefined),
    ?assertEqual(allow, authorize(?CLIENT, ?RETAINED, <<"a">>)),
    {_, _, First} = question(),
    ?assert(lists:member(<<"\"ask\":\"will\"">>, facts(First))),
    ?assert(tells(<<"\"ask\":\"publish\"">>)),
    ?assertEqual(allow, authorize(?CLIENT, ?RETAINED, <<"b">>)),
    ?assert(tells(<<"\"ask\":\"publish\"">>)),
    ?assertEqual(none, question()).

idle_will() ->
    on_approval(?DENY, #{topic => <<"w">>, flags => #{}}),
    ok = emqx_hooks:run('client.connected', [?CLIENT, #{}]),
    receive {disconnect, 16#87, not_authorized, _} -> ok after 20000 -> ?assert(false) end,
    ?assert(tells(<<"\"will\":{\"topic\":\"w\",\"retain\":false}">>)).

unknown_will() ->
    on_approval(?ALLOW, undefined),
    emqx_cm:delete_channel(<<"c">>, self()),
    ?assertEqual(deny, authorize(?CLIENT, ?RETAINED, <<"a">>)).

%%--------------------------------------------------------------------

opened(ConnInfo) ->
    Default = #{clean_start => true, expiry_interval => 0, socktype => tcp, peercert => nossl},
    _ = emqx_hooks:run_fold('client.connect', [maps:merge(Default, ConnInfo)], #{}),
    ok.

on_approval(Answer, Will) ->
    opened(#{}),
    answers(?UNLESS_WILL),
    ok = authenticate(?CLIENT),
    _ = question(),
    Info = #{conn_state => connected, clientinfo => ?CLIENT, conninfo => #{socktype => tcp}, will_msg => Will},
    emqx_cm:put_channel(<<"c">>, self(), Info),
    answers(Answer).

authenticate(Credential) ->
    emqx_hooks:run_fold('client.authenticate', [Credential], ignore).

answers(Answer) ->
    emqx_exhook_server:set(self(), Answer).

question() ->
    receive {asked_provider, Name, Hook, Request} -> {Name, Hook, Request} after 20 -> none end.

tells(Fact) ->
    {_, _, Request} = question(),
    lists:member(Fact, facts(Request)).

%% Members of the object; none of these tests has a comma in one but in the will.
facts(#{topic := <<"$tightbeam/+/{", Json/binary>>}) ->
    Text = binary:part(Json, 0, byte_size(Json) - 1),
    Will = re:split(Text, "(\"will\":{[^}]*})"),
    lists:sort(lists:append([members(Part) || Part <- Will])).

members(<<"\"will\":", _/binary>> = Will) -> [Will];
members(Text) -> binary:split(Text, <<",">>, [global, trim_all]).
