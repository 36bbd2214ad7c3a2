%% @doc `emqx ctl tightbeam status'.
-module(tightbeam_cli).

-export([register/0, unregister/0, cli/1]).

-spec register() -> ok.
register() ->
    emqx_ctl:register_command(tightbeam, {?MODULE, cli}, []).

-spec unregister() -> ok.
unregister() ->
    _ = emqx_ctl:unregister_command(tightbeam),
    ok.

-spec cli([string()]) -> term().
cli(["status"]) ->
    {ok, Vsn} = application:get_key(tightbeam, vsn),
    emqx_ctl:print("version          : ~s~n", [Vsn]),
    emqx_ctl:print("hooks            : ~s~n", [hooks()]),
    emqx_ctl:print("guard            : ~s~n", [guard()]),
    emqx_ctl:print("hook provider    : ~s~n", [provider(tightbeam_watch:status(), tightbeam_provider:configured())]),
    emqx_ctl:print("pending          : ~p~n", [tightbeam_pending:count()]),
    emqx_ctl:print("in flight        : ~p~n", [tightbeam_inflight:count()]),
    emqx_ctl:print("waiting for room : ~p~n", [tightbeam_waiting:count()]),
    emqx_ctl:print("waiting for connections : ~p~n", [tightbeam_connection_waits:count()]),
    emqx_ctl:print("identities       : ~p~n", [tightbeam_identity:count()]),
    emqx_ctl:print("PUBACK codes     : ~s~n", [codes()]),
    emqx_ctl:print("cached decisions : ~p~n", [tightbeam_authz:count()]),
    [emqx_ctl:print("config ~s : ~p~n", [pad(K, 9), V]) || {K, V} <- lists:sort(maps:to_list(tightbeam_config:all()))],
    [emqx_ctl:print("~s : ~p~n", [pad(K, 16), V]) || {K, V} <- tightbeam_metrics:values()],
    emqx_ctl:print("unreadable       : ~p~n", [tightbeam_metrics:unreadable()]),
    ok;
cli(["clean-cache"]) ->
    ok = tightbeam_authz:clean(),
    emqx_ctl:print("ok~n", []);
cli(_) ->
    emqx_ctl:usage([
        {"tightbeam status", "Show the version, hooks, settings and counters on this node"},
        {"tightbeam clean-cache", "Forget the cached decisions on receivers on this node"}
    ]).

hooks() ->
    case tightbeam_hooks:missing() of
        [] -> "loaded";
        Missing -> io_lib:format("MISSING ~p", [Missing])
    end.

%% `client.handle_info' came with 6.0, as the code did.
codes() ->
    case tightbeam_emqx:has_hook_point('client.handle_info') of
        true -> "told by EMQX: 0x80 and more is RECEIVER_REJECTED";
        false -> "not told by this EMQX: any PUBACK of a device confirms"
    end.

guard() ->
    case tightbeam_guard:armed() of
        [] -> "not armed";
        Armed -> io_lib:format("armed ~p", [Armed])
    end.

provider(none, absent) -> "not registered";
provider(none, _) -> "answers";
provider(disabled, _) -> "ALARM disabled by hand: the guard denies, unless it is off";
provider(Cause, _) -> io_lib:format("ALARM ~s", [Cause]).

pad(Key, Width) ->
    string:pad(atom_to_list(Key), Width).
