%% @doc What the broker knows of a connection, policies ask about, and ExHook's requests have no field for: TLS or not, the
%% certificate itself, the server name, and how long the session is to last. Kept in the connection's process from CONNECT
%% on (`client.connect' runs there, before authentication).
-module(tightbeam_facts).

-export([on_connect/2, of_connection/1, of_channel/1, json/1]).

-export_type([facts/0]).

-type facts() :: #{
    %% The session outlives the connection: no clean start, or an expiry above 0.
    persistent => boolean(),
    secure => boolean(),
    %% Of the TLS server name indication; none: the client named none. Absent: this EMQX does not tell (before 5.8).
    server_name => binary() | none,
    %% DER, as the handshake verified it.
    certificate => binary()
}.

-define(KEY, '$tightbeam_conninfo').

-spec on_connect(map(), term()) -> ok.
on_connect(ConnInfo, _Props) ->
    _ = put(?KEY, maps:with([clean_start, expiry_interval, socktype, peercert], ConnInfo)),
    ok.

%% @doc Of the client whose connection process runs this; of another one that is connected to this node, what EMQX keeps
%% of it. Nothing is told where nothing is known.
-spec of_connection(map()) -> facts().
of_connection(ClientInfo) ->
    case get(?KEY) of
        undefined -> of_other(ClientInfo);
        ConnInfo -> facts(ConnInfo, ClientInfo)
    end.

of_other(#{clientid := ClientId} = ClientInfo) ->
    Infos = [emqx_cm:do_get_chan_info(ClientId, Pid) || Pid <- emqx_cm:lookup_channels(local, ClientId)],
    case [ConnInfo || #{conninfo := #{socktype := _} = ConnInfo} <- Infos] of
        [ConnInfo] -> facts(ConnInfo, ClientInfo);
        %% Not here, or two while one takes the other's session over.
        _ -> #{}
    end;
of_other(_) ->
    #{}.

%% @doc From what EMQX keeps of a connection.
-spec of_channel(map()) -> facts().
of_channel(#{conninfo := ConnInfo, clientinfo := ClientInfo}) -> facts(ConnInfo, ClientInfo).

facts(ConnInfo, ClientInfo) ->
    maps:from_list(persistent(ConnInfo) ++ secure(ConnInfo, ClientInfo) ++ server_name(ConnInfo, ClientInfo) ++ certificate(ConnInfo)).

persistent(#{clean_start := CleanStart, expiry_interval := Expiry}) -> [{persistent, not CleanStart orelse Expiry > 0}];
persistent(_) -> [].

%% WebSockets have one socket type, with TLS and without; the listener's name says which. `ws' with TLS that ends in a
%% proxy is not TLS to this broker.
secure(#{socktype := ws}, #{listener := Listener}) -> websocket(Listener);
secure(#{socktype := Type}, _) when Type =:= ssl; Type =:= quic -> [{secure, true}];
secure(#{socktype := Type}, _) when Type =:= tcp -> [{secure, false}];
secure(_, _) -> [].

websocket(Listener) when is_atom(Listener) -> websocket(atom_to_binary(Listener));
websocket(<<"wss:", _/binary>>) -> [{secure, true}];
websocket(<<"ws:", _/binary>>) -> [{secure, false}];
websocket(_) -> [].

%% With a WebSocket, EMQX has the Host header of HTTP there, behind a proxy what its header says: neither is told.
server_name(#{socktype := Type}, #{peersni := Name}) when Type =:= ssl; Type =:= quic; Type =:= tcp ->
    case is_binary(Name) andalso Name =/= <<>> of
        true -> [{server_name, Name}];
        false -> [{server_name, none}]
    end;
server_name(_, _) -> [].

%% What a header of the PROXY protocol says is a list, and nobody has verified it.
certificate(#{peercert := Der, socktype := Type}) when is_binary(Der), Type =/= tcp -> [{certificate, Der}];
certificate(_) -> [].

%% @doc Members of a JSON object, each with a comma before it.
-spec json(facts()) -> iodata().
json(Facts) ->
    [member(Fact) || Fact <- maps:to_list(Facts)].

member({persistent, Is}) -> [<<",\"persistent\":">>, atom_to_binary(Is)];
member({secure, Is}) -> [<<",\"secureTransport\":">>, atom_to_binary(Is)];
member({server_name, none}) -> <<",\"serverName\":null">>;
member({server_name, Name}) -> [<<",\"serverName\":">>, tightbeam_json:string(Name)];
member({certificate, Der}) -> [<<",\"certificate\":\"">>, base64:encode(Der), $"].
