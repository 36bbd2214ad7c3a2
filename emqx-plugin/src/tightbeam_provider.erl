%% @doc The service, as EMQX knows it: the ExHook server of the configured name.
-module(tightbeam_provider).

-export([state/0, configured/0, first/0, ask/0]).

-export_type([state/0]).

%% absent: there is no such server; disabled: by hand; unloaded: EMQX has not reached it, and so asks it nothing;
%% running: EMQX asks it, so many calls were answered and so many failed (on this node, since some moment).
-type state() :: absent | disabled | unloaded | {running, non_neg_integer(), non_neg_integer()}.

%% @doc What the configuration says, which costs nearly nothing.
-spec configured() -> absent | disabled | enabled.
configured() ->
    Name = name(),
    case [Enable || #{name := N, enable := Enable} <- emqx:get_config([exhook, servers], []), iolist_to_binary([N]) =:= Name] of
        [] -> absent;
        [true | _] -> enabled;
        [_ | _] -> disabled
    end.

-spec state() -> state().
state() ->
    case configured() of
        enabled -> loaded();
        Other -> Other
    end.

loaded() ->
    Name = name(),
    try lists:member(Name, emqx_exhook_mgr:running()) of
        true ->
            #{succeed := Succeed, failed := Failed} = emqx_exhook_metrics:server_metrics(Name),
            {running, Succeed, Failed};
        false ->
            unloaded
    catch
        %% ExHook itself is starting, or being restarted.
        _:_ -> unloaded
    end.

%% @doc The service, as `emqx_exhook_server' calls it, where it is the first of the providers that EMQX asks now.
-spec first() -> term() | none.
first() ->
    Name = name(),
    try emqx_exhook_mgr:running() of
        [Name | _] -> tightbeam_emqx:exhook_server(Name);
        _ -> none
    catch
        _:_ -> none
    end.

%% @doc A call that the service answers and that means nothing: no outcomes. Waits for the answer, or for ExHook's
%% `request_timeout'; EMQX counts it.
-spec ask() -> ok.
ask() ->
    tightbeam_report:tell_nothing().

name() ->
    tightbeam_config:get(exhook_server).
