%% @doc Direct messages that were handed to connections of this node and not yet acknowledged, so that
%% a receiver that goes away completes its senders at once. The senders may be on other nodes. And what
%% is known of these connections, which is less to look at than all that EMQX knows of them.
-module(tightbeam_inflight).

-behaviour(gen_server).

-export([start_link/0, add/4, receiver/1, remove/2, gone/1, taken_over/2, is_taken_over/1, create_tables/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([receiver/0]).

%% What stays the same for as long as a connection lasts.
-type receiver() :: #{mountpoint := binary() | undefined, max_packet_size := pos_integer() | infinity}.

-define(TAB, ?MODULE).
-define(WATCHED, tightbeam_receivers).
-define(TAKEN_OVER, tightbeam_taken_over).
-define(SWEEP, 5000).
%% Longest time in milliseconds between two connections of a takeover.
-define(TAKEOVER, 1000).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec create_tables() -> ok.
create_tables() ->
    ?TAB = ets:new(?TAB, [ordered_set, named_table, public, {write_concurrency, true}]),
    ?WATCHED = ets:new(?WATCHED, [set, named_table, public, {write_concurrency, true}, {read_concurrency, true}]),
    ?TAKEN_OVER = ets:new(?TAKEN_OVER, [set, named_table, public, {write_concurrency, true}]),
    ok.

%% @doc To be called before the message is sent. Deadline: monotonic milliseconds. `new': the first
%% message to this connection.
-spec add(pid(), tightbeam_pending:key(), integer(), receiver()) -> new | known.
add(Channel, Key, Deadline, Receiver) ->
    IsNew = ets:insert_new(?WATCHED, {Channel, Receiver}),
    IsNew andalso gen_server:cast(?MODULE, {watch, Channel}),
    true = ets:insert(?TAB, {{Channel, Key}, Deadline}),
    case IsNew of
        true -> new;
        false -> known
    end.

%% @doc A connection to which messages have been handed before. `gone': it has been disconnected, its
%% process may live on for its session.
-spec receiver(pid()) -> receiver() | gone | unknown.
receiver(Channel) ->
    case ets:lookup(?WATCHED, Channel) of
        [{_, Receiver}] -> Receiver;
        [] -> unknown
    end.

-spec remove(pid(), tightbeam_pending:key()) -> ok.
remove(Channel, Key) ->
    try
        true = ets:delete(?TAB, {Channel, Key}),
        ok
    catch
        error:badarg -> ok
    end.

%% @doc The connection is gone: all its senders are told, and what was decided for it is forgotten.
-spec gone(pid()) -> ok.
gone(Channel) ->
    ok = disconnected(Channel),
    try ets:select(?TAB, [{{{Channel, '$1'}, '_'}, [], ['$1']}]) of
        Keys ->
            lists:foreach(
                fun(Key) ->
                    ok = remove(Channel, Key),
                    tightbeam_pending:complete(Key, receiver_disconnected)
                end,
                Keys
            )
    catch
        error:badarg -> ok
    end.

%% @doc The connection ends and its messages live on in another one. For a moment in between EMQX 6 may know of none.
-spec taken_over(binary(), pid()) -> ok.
taken_over(ClientId, Channel) ->
    ok = disconnected(Channel),
    try
        true = ets:insert(?TAKEN_OVER, {ClientId, erlang:monotonic_time(millisecond) + ?TAKEOVER}),
        true = ets:match_delete(?TAB, {{Channel, '_'}, '_'}),
        ok
    catch
        error:badarg -> ok
    end.

%% @doc Was a connection of this client ID on this node taken over just now?
-spec is_taken_over(binary()) -> boolean().
is_taken_over(ClientId) ->
    case ets:lookup(?TAKEN_OVER, ClientId) of
        [{_, Until}] -> erlang:monotonic_time(millisecond) < Until;
        [] -> false
    end.

%% Before its messages are looked for: whoever adds one after that sees that the connection is gone.
disconnected(Channel) ->
    try
        _ = ets:update_element(?WATCHED, Channel, {2, gone}),
        tightbeam_authz:forget(Channel)
    catch
        error:badarg -> ok
    end.

init([]) ->
    lists:foreach(fun({Pid, _}) -> monitor(process, Pid) end, ets:tab2list(?WATCHED)),
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {ok, #{}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({watch, Channel}, State) ->
    _ = monitor(process, Channel),
    {noreply, State};
handle_cast(_, State) ->
    {noreply, State}.

handle_info({'DOWN', _, process, Channel, _}, State) ->
    true = ets:delete(?WATCHED, Channel),
    ok = gone(Channel),
    {noreply, State};
handle_info(sweep, State) ->
    %% Senders past their deadline have had their answer from their own node.
    Now = erlang:monotonic_time(millisecond),
    _ = ets:select_delete(?TAKEN_OVER, [{{'_', '$1'}, [{'<', '$1', Now}], [true]}]),
    _ = ets:select_delete(?TAB, [{{'_', '$1'}, [{'<', '$1', Now}], [true]}]),
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.
