%% @doc Who may publish and subscribe under `$dm/' and `$tightbeam/', and that nobody publishes under `$aws/events/': what
%% EMQX's authorization leaves to a callback.
-module(tightbeam_access).

-export([on_authorize/4, on_authz_complete/5]).

%% @doc Nobody may really subscribe there, or publish under `$tightbeam/' and `$aws/events/'. A PUBLISH to a direct topic goes on to whoever
%% decides, with three exceptions: a malformed topic passes, to be answered 0x90 by {@link
%% tightbeam_sender:on_publish/1}; a client with a mountpoint has no topics but its own; and QoS 2 from an MQTT 5 client
%% is denied here, the only place where its PUBREC can still be given a reason code (section 3.5.2.1).
-spec on_authorize(map(), term(), term(), term()) -> ok | {stop, map()}.
%% EMQX 5.1 tells no more than this of an action.
on_authorize(ClientInfo, Type, Topic, Default) when Type =:= publish; Type =:= subscribe ->
    on_authorize(ClientInfo, #{action_type => Type}, Topic, Default);
on_authorize(ClientInfo, #{action_type := subscribe}, Filter, _Default) ->
    IsReserved = lists:any(fun tightbeam_topic:is_reserved_filter/1, [Filter | own(Filter, ClientInfo)]),
    case IsReserved andalso not tightbeam_authz:is_asking() of
        true -> decision(deny);
        false -> ok
    end;
on_authorize(ClientInfo, #{action_type := publish} = Action, <<"$dm/", _/binary>> = Topic, _Default) ->
    case is_mounted(ClientInfo) orelse is_qos2_of_mqtt5(ClientInfo, Action) of
        true ->
            decision(deny);
        false ->
            case tightbeam_topic:parse(Topic) of
                {ok, _} -> ok;
                {error, _} -> decision(allow)
            end
    end;
on_authorize(ClientInfo, #{action_type := publish}, Topic, _Default) ->
    Own = own(Topic, ClientInfo),
    IsReserved = lists:any(fun(T) -> tightbeam_topic:is_question(T) orelse tightbeam_topic:is_lifecycle(T) end, [Topic | Own]),
    case IsReserved orelse lists:any(fun(T) -> tightbeam_topic:kind(T) =:= direct end, Own) of
        true -> decision(deny);
        false -> ok
    end;
on_authorize(_ClientInfo, _Action, _Topic, _Default) ->
    ok.

is_mounted(#{mountpoint := Mountpoint}) -> is_binary(Mountpoint) andalso Mountpoint =/= <<>>;
is_mounted(_) -> false.

%% A topic as the client wrote it: with `authorization.include_mountpoint' (6.1 and later) EMQX asks about the mounted one.
own(Topic, #{mountpoint := Mountpoint}) when is_binary(Topic), is_binary(Mountpoint), Mountpoint =/= <<>> ->
    Size = byte_size(Mountpoint),
    case Topic of
        <<Mountpoint:Size/binary, Own/binary>> -> [Own];
        _ -> []
    end;
own({share, _Group, Filter}, ClientInfo) ->
    own(Filter, ClientInfo);
own(_Topic, _ClientInfo) ->
    [].

is_qos2_of_mqtt5(#{clientid := ClientId}, #{qos := 2}) ->
    case emqx_cm:do_get_chan_info(ClientId, self()) of
        #{conninfo := #{proto_ver := 5}} -> true;
        _ -> false
    end;
is_qos2_of_mqtt5(_, _) ->
    false.

%% @doc A PUBLISH to a direct topic that was refused is an outcome too, and here the only place where
%% all refusals come by: EMQX asks nobody about what it remembers (`authorization.cache'). Not
%% reported are those of ExHook: the service has just made them.
-spec on_authz_complete(map(), term(), term(), allow | deny, term()) -> ok.
on_authz_complete(ClientInfo, Action, <<"$dm/", _/binary>> = Topic, deny, Source) when Source =/= exhook ->
    case Action of
        #{action_type := publish} ->
            Outcome =
                case is_qos2_of_mqtt5(ClientInfo, Action) of
                    true -> invalid_parameter;
                    false -> sender_not_authorized
                end,
            Subject = tightbeam_report:refused_subject(ClientInfo, maps:get(qos, Action, undefined), Topic),
            tightbeam_sender:refused(Outcome, maps:get(clientid, ClientInfo), Topic, Subject);
        _ ->
            ok
    end;
on_authz_complete(_ClientInfo, _Action, _Topic, _Result, _Source) ->
    ok.

decision(Result) ->
    {stop, #{result => Result, from => tightbeam}}.
