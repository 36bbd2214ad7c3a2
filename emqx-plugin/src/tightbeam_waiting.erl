%% @doc Messages that wait for room in a device's receive window: here, so that they displace nothing from the queue that
%% EMQX keeps for it. In the order in which they came. Bounded for each device and in all.
-module(tightbeam_waiting).

-export([create_tables/0, add/4, take_first/1, remove/2, is_blocked/1, count/0]).

%% {{Channel, Sequence}, Key}
-define(TAB, ?MODULE).
%% {Channel, how many}: looked at for every acknowledgement of any message.
-define(BLOCKED, tightbeam_blocked).

-spec create_tables() -> ok.
create_tables() ->
    Opts = [named_table, public, {write_concurrency, true}],
    ?TAB = ets:new(?TAB, [ordered_set, {decentralized_counters, false} | Opts]),
    ?BLOCKED = ets:new(?BLOCKED, [set, {read_concurrency, true} | Opts]),
    ok.

%% @doc False: there is no room for it here either.
-spec add(pid(), integer(), tightbeam_pending:key(), IsBounded :: boolean()) -> boolean().
add(Channel, Sequence, Key, IsBounded) ->
    #{waiting_max := Max, waiting_max_per_device := MaxOwn} = tightbeam_config:all(),
    Own = ets:update_counter(?BLOCKED, Channel, {2, 1}, {Channel, 0}),
    case IsBounded andalso (Own > MaxOwn orelse count() >= Max) of
        true ->
            ok = less(Channel),
            false;
        false ->
            ets:insert(?TAB, {{Channel, Sequence}, Key})
    end.

-spec take_first(pid()) -> {ok, tightbeam_pending:key()} | none.
take_first(Channel) ->
    case ets:next(?TAB, {Channel, 0}) of
        {Channel, Sequence} = First ->
            case ets:lookup(?TAB, First) of
                [{_, Key}] ->
                    ok = remove(Channel, Sequence),
                    {ok, Key};
                [] ->
                    take_first(Channel)
            end;
        _ ->
            none
    end.

-spec remove(pid(), integer()) -> ok.
remove(Channel, Sequence) ->
    case ets:take(?TAB, {Channel, Sequence}) of
        [_] -> less(Channel);
        [] -> ok
    end.

less(Channel) ->
    case ets:update_counter(?BLOCKED, Channel, {2, -1}, {Channel, 1}) of
        N when N =< 0 ->
            _ = ets:select_delete(?BLOCKED, [{{Channel, '$1'}, [{'=<', '$1', 0}], [true]}]),
            ok;
        _ ->
            ok
    end.

%% @doc Does anything wait for that connection?
-spec is_blocked(pid()) -> boolean().
is_blocked(Channel) ->
    try
        ets:member(?BLOCKED, Channel)
    catch
        %% The plugin has been stopped.
        error:badarg -> false
    end.

-spec count() -> non_neg_integer().
count() ->
    ets:info(?TAB, size).
