%% @doc Whom an event is about: a client, in the JSON that each of its events begins with. Made once a connection and kept in
%% its process; the names are those of ExHook's ClientInfo.
-module(tightbeam_tap_who).

-export([connected/2, refused/1, known/1, publisher/1, id/1, json/1]).

-export_type([who/0]).

%% Client ID and JSON members; `service': the service itself, of which nothing is told.
-type who() :: service | {binary(), binary()}.

-define(KEY, '$tightbeam_who').

%% @doc The client of this process, from its CONNECT.
-spec connected(map(), map()) -> who().
connected(ClientInfo, ConnInfo) ->
    Who = make(ClientInfo, ConnInfo),
    _ = put(?KEY, {maps:get(clientid, ClientInfo, undefined), Who}),
    Who.

%% @doc A client that was not let in: only what its connection tells of it, for it has not proved who it is.
-spec refused(map()) -> who().
refused(ConnInfo) ->
    ClientId = text(maps:get(clientid, ConnInfo, undefined)),
    {ClientId, members(ClientId, peer(ConnInfo))}.

%% @doc The client of this process, or one that connected before the plugin ran.
-spec known(map()) -> who().
known(#{clientid := ClientId} = ClientInfo) ->
    case get(?KEY) of
        {ClientId, Who} ->
            Who;
        _ ->
            Who = make(ClientInfo, ClientInfo),
            _ = is_own(ClientId) andalso put(?KEY, {ClientId, Who}),
            Who
    end;
known(_) ->
    {<<>>, <<"\"clientid\":\"\"">>}.

%% Is this the process of that client? Sessions of others are ended from elsewhere.
is_own(ClientId) ->
    lists:member(self(), emqx_cm:lookup_channels(local, ClientId)).

%% @doc Who published a message: mostly the client of this process.
-spec publisher(term()) -> who().
publisher(Msg) ->
    From = from(emqx_message:from(Msg)),
    case get(?KEY) of
        {From, Who} -> Who;
        _ -> of_headers(From, emqx_message:get_headers(Msg))
    end.

%% A will, a rule, a bridge, the REST API; or a client that connected before the plugin ran.
of_headers(From, #{} = Headers) ->
    Username = maps:get(username, Headers, undefined),
    case is_service(Username) of
        true -> service;
        false -> {From, members(From, [{<<"username">>, Username} | peer(Headers)])}
    end;
of_headers(From, _) ->
    {From, members(From, [])}.

from(From) when is_binary(From) -> From;
from(From) when is_atom(From) -> atom_to_binary(From);
from(_) -> <<>>.

-spec id(who()) -> binary().
id(service) -> <<>>;
id({ClientId, _}) -> ClientId.

-spec json(who()) -> binary().
json({_, Json}) -> Json.

make(#{clientid := ClientId} = ClientInfo, Connection) ->
    Username = maps:get(username, ClientInfo, undefined),
    case is_service(Username) of
        true ->
            service;
        false ->
            Certificate = [{Name, maps:get(Key, ClientInfo, undefined)} || {Name, Key} <- [{<<"cn">>, cn}, {<<"dn">>, dn}]],
            Peer = peer(maps:merge(maps:with([peername, peerhost], ClientInfo), maps:with([peername, proto_ver], Connection))),
            {ClientId, members(ClientId, [{<<"username">>, Username} | Certificate] ++ Peer)}
    end.

is_service(Username) ->
    Username =/= undefined andalso Username =:= tightbeam_config:get(service_username).

peer(Facts) ->
    Peer =
        case Facts of
            #{peername := {Host, Port}} when is_integer(Port) -> [{<<"peerhost">>, Host}, {<<"peerport">>, Port}];
            #{peerhost := Host} -> [{<<"peerhost">>, Host}];
            _ -> []
        end,
    Peer ++ [{<<"protoVer">>, V} || #{proto_ver := V} <- [Facts], is_integer(V)].

members(ClientId, Members) ->
    iolist_to_binary([
        "\"clientid\":", tightbeam_json:string(ClientId)
        | [[$,, tightbeam_json:member(Name, Value)] || {Name, Value} <- Members, is_given(Value)]
    ]).

is_given(undefined) -> false;
is_given(<<>>) -> false;
is_given(_) -> true.

text(Text) when is_binary(Text) -> Text;
text(_) -> <<>>.
