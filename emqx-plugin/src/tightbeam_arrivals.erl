%% @doc Clients that somebody in the cluster waits for, and their coming. A node that waits tells all others for whom; the
%% node to which such a client connects tells those that wait. While nobody waits, a connect costs one look at a table's
%% size.
-module(tightbeam_arrivals).

-behaviour(gen_server).

-export([start_link/0, create_tables/0, on_connected/2, expect/2, forget/1, leave/0, count/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% {{ClientId, Node}}: that node waits for that client.
-define(TAB, ?MODULE).
%% EMQX shows the channel of a connection a moment after it is connected, and before its CONNACK is written.
-define(LOOK_AGAIN, 5).
-define(LOOKS, 1000).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec create_tables() -> ok.
create_tables() ->
    ?TAB = ets:new(?TAB, [ordered_set, named_table, public, {read_concurrency, true}, {decentralized_counters, false}]),
    ok.

%% @doc In the connection of a client that has just been let in.
-spec on_connected(map(), map()) -> ok.
on_connected(#{clientid := ClientId}, _ConnInfo) ->
    case count() > 0 andalso waiting_nodes(ClientId) of
        [_ | _] -> gen_server:cast(?MODULE, {came, ClientId, self()});
        _ -> ok
    end.

%% @doc This node waits for these clients: that is told to other nodes, and to this one.
-spec expect([binary()], [node()]) -> ok.
expect(ClientIds, Nodes) ->
    [tightbeam_wire:cast(Node, ?MODULE, expect, #{clientids => ClientIds, node => node()}) || Node <- Nodes],
    ok.

%% @doc This node does not wait for that client any more.
-spec forget(binary()) -> ok.
forget(ClientId) ->
    [tightbeam_wire:cast(Node, ?MODULE, forget, #{clientid => ClientId, node => node()}) || Node <- [node() | nodes()]],
    ok.

%% @doc The plugin stops on this node.
-spec leave() -> ok.
leave() ->
    [tightbeam_wire:cast(Node, ?MODULE, leave, #{node => node()}) || Node <- nodes()],
    ok.

-spec count() -> non_neg_integer().
count() ->
    case ets:info(?TAB, size) of
        %% The plugin has been stopped.
        undefined -> 0;
        Size -> Size
    end.

waiting_nodes(ClientId) ->
    try
        ets:select(?TAB, [{{{ClientId, '$1'}}, [], ['$1']}])
    catch
        error:badarg -> []
    end.

init([]) ->
    ok = net_kernel:monitor_nodes(true),
    %% What they told before this plugin was there, they tell again.
    [tightbeam_wire:cast(Node, tightbeam_connection_waits, tell, #{node => node()}) || Node <- [node() | nodes()]],
    {ok, #{}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({came, ClientId, Channel}, State) ->
    ok = look(ClientId, Channel, ?LOOKS),
    {noreply, State};
handle_cast(Word, State) ->
    case tightbeam_wire:read(Word) of
        {expect, #{clientids := ClientIds, node := Node}} -> lists:foreach(fun(ClientId) -> expected(ClientId, Node) end, ClientIds);
        {forget, #{clientid := ClientId, node := Node}} -> ets:delete(?TAB, {ClientId, Node});
        {leave, #{node := Node}} -> ets:match_delete(?TAB, {{'_', Node}});
        _ -> ok
    end,
    {noreply, State}.

handle_info({look, ClientId, Channel, Looks}, State) ->
    ok = look(ClientId, Channel, Looks),
    {noreply, State};
handle_info({nodedown, Node}, State) ->
    _ = ets:match_delete(?TAB, {{'_', Node}}),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

%% It may have come before this was known here: its callback saw nothing then, and its channel is there to be seen.
expected(ClientId, Node) ->
    true = ets:insert(?TAB, {{ClientId, Node}}),
    lists:foreach(fun(Channel) -> look(ClientId, Channel, ?LOOKS) end, emqx_cm:lookup_channels(local, ClientId)).

look(ClientId, Channel, Looks) ->
    case emqx_cm:do_get_chan_info(ClientId, Channel) of
        #{conn_state := connected} ->
            [
                tightbeam_wire:cast(Node, tightbeam_connection_waits, connected, #{clientid => ClientId, node => node()})
             || Node <- waiting_nodes(ClientId)
            ],
            ok;
        #{conn_state := disconnected} ->
            ok;
        _ ->
            _ =
                Looks > 0 andalso is_process_alive(Channel) andalso
                    erlang:send_after(?LOOK_AGAIN, self(), {look, ClientId, Channel, Looks - 1}),
            ok
    end.
