%% @doc What is not the same in every EMQX from 5.1 to 6.3, chosen by what the running one exports and by the hook
%% points that it has, never by its version number. All other calls of EMQX are plain calls of functions that every
%% one of these versions has; the tests hold both against the exports of ten versions.
-module(tightbeam_emqx).

-export([load/0, unload/0, alternatives/0, has_hook_point/1]).
-export([inc/2, value/1, plugin_config/1, has_durable_session/1, exhook_server/1, call_provider/3]).

-define(KEY, ?MODULE).

%% @doc Functions that are called only where they are; of those on one line, the first that is exported. `needed':
%% every EMQX has one of them.
-spec alternatives() -> [{needed | optional, [mfa()]}].
alternatives() ->
    [
        %% 6.1 and later keep counters by namespace; there `inc/2' takes a namespace and a name.
        {needed, [{emqx_metrics, inc_global, 2}, {emqx_metrics, inc, 2}]},
        {needed, [{emqx_metrics, val_global, 1}, {emqx_metrics, val, 1}]},
        %% An ExHook server: renamed in 5.9.
        {needed, [{emqx_exhook_mgr, service, 1}, {emqx_exhook_mgr, server, 1}]},
        %% Called by EMQX's session for what tightbeam_handover hands it.
        {needed, [{emqx_shared_sub, maybe_nack_dropped, 1}]},
        {needed, [{emqx_shared_sub, nack_no_connection, 1}]},
        %% ExHook's calls as EMQX makes them: generation 3 in 5.9 and later.
        {needed, [{emqx_exhook_v_3_hook_provider_client, on_message_dropped, 2}, {emqx_exhook_v_2_hook_provider_client, on_message_dropped, 2}]},
        {needed, [{emqx_exhook_v_3_hook_provider_client, on_message_publish, 2}, {emqx_exhook_v_2_hook_provider_client, on_message_publish, 2}]},
        %% Configuration of plugins: 5.7 and later.
        {optional, [{emqx_plugins, get_config, 1}]},
        %% Durable sessions: 5.4 and later; an option.
        {optional, [{emqx_persistent_message, is_persistence_enabled, 0}]},
        {optional, [{emqx_persistent_session_ds, print_session, 1}]},
        %% 5.4 and later refuse hook points that they do not know.
        {optional, [{emqx_hookpoints, default_hookpoints, 0}]}
    ].

%% @doc Looks once; later calls read a persistent term.
-spec load() -> ok.
load() ->
    persistent_term:put(?KEY, found()).

-spec unload() -> ok.
unload() ->
    _ = persistent_term:erase(?KEY),
    ok.

found() ->
    maps:from_list([
        {F, fun M:F/A}
     || {_, Alternatives} <- alternatives(), {M, F, A} <- first([MFA || MFA <- Alternatives, is_exported(MFA)])
    ]).

first([MFA | _]) -> [MFA];
first([]) -> [].

is_exported({M, F, A}) ->
    _ = code:ensure_loaded(M),
    erlang:function_exported(M, F, A).

function(Names) ->
    Found =
        case persistent_term:get(?KEY, undefined) of
            undefined -> found();
            Loaded -> Loaded
        end,
    first([F || Name <- Names, {ok, F} <- [maps:find(Name, Found)]]).

%% @doc Is there such a hook point? An EMQX that does not list them (5.1 to 5.3) has none but the oldest.
-spec has_hook_point(atom()) -> boolean().
has_hook_point(Name) ->
    case function([default_hookpoints]) of
        [List] -> is_map_key(Name, List());
        [] -> false
    end.

%% @doc Adds to a counter; fails where there is none.
-spec inc(atom(), pos_integer()) -> ok.
inc(Name, Value) ->
    [Inc] = function([inc_global, inc]),
    Inc(Name, Value).

-spec value(atom()) -> non_neg_integer().
value(Name) ->
    [Val] = function([val_global, val]),
    Val(Name).

%% @doc The ExHook server of that name, to be called through.
-spec exhook_server(binary()) -> map() | none.
exhook_server(Name) ->
    case function([service, server]) of
        [Server] ->
            case Server(Name) of
                #{} = Found -> Found;
                _ -> none
            end;
        [] ->
            none
    end.

%% @doc The configuration that EMQX keeps for a plugin; empty where it keeps none.
-spec plugin_config(binary()) -> map().
plugin_config(NameVsn) ->
    try [Get(NameVsn) || Get <- function([get_config])] of
        [{ok, Config}] when is_map(Config) -> Config;
        [Config] when is_map(Config) -> Config;
        _ -> #{}
    catch
        _:_ -> #{}
    end.

%% @doc Durable sessions have no process while their client is away.
-spec has_durable_session(binary()) -> boolean().
has_durable_session(ClientId) ->
    try {function([is_persistence_enabled]), function([print_session])} of
        {[IsEnabled], [Print]} -> IsEnabled() andalso Print(ClientId) =/= undefined;
        _ -> false
    catch
        _:_ -> false
    end.

%% @doc A call of the service over the connection that ExHook has to it; fails where there is none.
-spec call_provider(on_message_dropped | on_message_publish, map(), map()) -> term().
call_provider(Name, Request, Options) ->
    [Call] = function([Name]),
    Call(Request, Options).
