%% Channels are put into a table by the tests.
-module(emqx_cm).
-export([lookup_channels/1, lookup_channels/2, do_get_chan_info/2, all_client_ids/0]).
-test([start/0, put_channel/3, delete_channel/2]).

start() ->
    emqx_cm_stand_in = ets:new(emqx_cm_stand_in, [named_table, public, ordered_set]),
    ok.

put_channel(ClientId, Pid, Info) -> ets:insert(emqx_cm_stand_in, {{ClientId, Pid}, Info}).
delete_channel(ClientId, Pid) -> ets:delete(emqx_cm_stand_in, {ClientId, Pid}).
all_client_ids() -> [Id || [Id] <- ets:match(emqx_cm_stand_in, {{'$1', '_'}, '_'})].

lookup_channels(ClientId) -> lookup_channels(global, ClientId).
lookup_channels(_, ClientId) -> [Pid || [Pid] <- ets:match(emqx_cm_stand_in, {{ClientId, '$1'}, '_'})].

do_get_chan_info(ClientId, Pid) ->
    case ets:lookup(emqx_cm_stand_in, {ClientId, Pid}) of
        [{_, Info}] -> Info;
        [] -> undefined
    end.
