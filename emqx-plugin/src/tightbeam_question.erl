%% @doc Asks the service in ExHook's place, with the facts for which ExHook's requests have no field. One call, as ExHook's
%% own would be: an authorize question about the topic `$tightbeam/+/{facts}', in which the `+' keeps every client
%% out (no topic name of a PUBLISH has one, section 4.7.1.1), and so does {@link tightbeam_access}. Remembered by EMQX
%% (`authorization.cache') like any other answer.
-module(tightbeam_question).

-export([on_authenticate/2, on_authorize/4, about_will/3]).

%% deny_known: who it is has been proved, and it may not.
-type answer() :: allow | deny | deny_known | allow_unless_will | unasked | failed.

%% @doc Called just before ExHook. Says who the client is and whether it may connect; where only the will can decide that,
%% {@link tightbeam_will} sees to it.
-spec on_authenticate(map(), term()) -> ok | {stop, ok | {error, not_authorized}}.
on_authenticate(Credential, _Default) ->
    Facts = tightbeam_facts:of_connection(Credential),
    case ask(<<"connect">>, Credential, Facts, <<>>) of
        allow ->
            ok = tightbeam_will:decided(),
            {stop, ok};
        allow_unless_will ->
            ok = tightbeam_will:undecided(),
            {stop, ok};
        unasked ->
            ok;
        deny_known ->
            ok = tightbeam_presence:connect_failed(Credential, Facts),
            {stop, {error, not_authorized}};
        _ ->
            {stop, {error, not_authorized}}
    end.

%% @doc Called just before ExHook: for what EMQX's own sources have not decided.
-spec on_authorize(map(), term(), term(), term()) -> ok | {stop, map()}.
on_authorize(ClientInfo, Action, Topic, Default) ->
    {Kind, Members} = about(Action, Topic),
    case ask(Kind, ClientInfo, tightbeam_facts:of_connection(ClientInfo), Members, is_allowed(Default)) of
        unasked -> ok;
        allow -> decision(allow);
        _ -> decision(deny)
    end.

%% What EMQX answers by itself: the service lets it stand where policies are not in force yet.
is_allowed(#{result := allow}) -> true;
is_allowed(_) -> false.

%% As the answer of ExHook's provider, which it is.
decision(Result) ->
    {stop, #{result => Result, from => exhook}}.

%% EMQX 5.1 tells neither QoS nor retain flag.
about(publish, Topic) -> {<<"publish">>, topic(Topic)};
about(subscribe, Topic) -> {<<"subscribe">>, topic(Topic)};
about(#{action_type := publish} = Action, Topic) -> {<<"publish">>, [topic(Topic), retain(Action), qos(Action)]};
about(#{action_type := subscribe} = Action, Topic) -> {<<"subscribe">>, [topic(Topic), qos(Action)]}.

topic({share, _Group, Filter}) -> topic(Filter);
topic(Topic) -> [<<",\"topic\":">>, tightbeam_json:string(Topic)].

retain(#{retain := Retain}) -> [<<",\"retain\":">>, atom_to_binary(Retain)];
retain(_) -> [].

qos(#{qos := QoS}) when is_integer(QoS) -> [<<",\"qos\":">>, integer_to_binary(QoS)];
qos(_) -> [].

%% @doc May the client, which is connected, have this will (or none)?
-spec about_will(map(), tightbeam_facts:facts(), {binary(), boolean()} | none) -> answer().
about_will(ClientInfo, Facts, none) ->
    ask(<<"will">>, ClientInfo, Facts, <<>>);
about_will(ClientInfo, Facts, {Topic, Retain}) ->
    Will = [<<",\"will\":{\"topic\":">>, tightbeam_json:string(Topic), <<",\"retain\":">>, atom_to_binary(Retain), $}],
    ask(<<"will">>, ClientInfo, Facts, Will).

%% Only where the service is the first that ExHook would ask: a provider before it keeps its say.
-spec ask(binary(), map(), tightbeam_facts:facts(), iodata()) -> answer().
ask(Kind, ClientInfo, Known, Members) ->
    ask(Kind, ClientInfo, Known, Members, false).

ask(Kind, ClientInfo, Known, Members, IsAllowed) ->
    case tightbeam_provider:first() of
        none ->
            unasked;
        Server ->
            Facts = [<<"{\"ask\":\"">>, Kind, $", Members, tightbeam_facts:json(Known), $}],
            Request = #{
                clientinfo => emqx_exhook_handler:clientinfo(ClientInfo),
                type => 'PUBLISH',
                topic => iolist_to_binary([<<"$tightbeam/+/">>, Facts]),
                result => IsAllowed
            },
            answer(emqx_exhook_server:call('client.authorize', Request, Server), Server)
    end.

answer({ok, #{type := Type, value := {bool_result, true}}}, _) when Type =:= 'STOP_AND_RETURN' -> allow;
answer({ok, #{type := Type, value := {bool_result, true}}}, _) when Type =:= 'CONTINUE' -> allow_unless_will;
answer({ok, #{type := 'CONTINUE', value := {bool_result, false}}}, _) -> deny_known;
answer({ok, _}, _) -> deny;
%% It has not registered the hook.
answer(ignore, _) -> unasked;
answer(_, Server) ->
    case emqx_exhook_server:failed_action(Server) of
        deny -> failed;
        ignore -> unasked
    end.
