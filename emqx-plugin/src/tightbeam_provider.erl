%% @doc The service, as EMQX knows it: the ExHook server of the configured name.
-module(tightbeam_provider).

-export([state/0, configured/0, first/0, ask/0, tell/2, ask_for/1]).

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

%% Under `$dm/#', with which the service registers, and no direct topics: they have none for a device.
-define(REPORTS, <<"$dm/outcomes">>).
-define(TAP, <<"$dm/tap">>).
%% An atom, as EMQX's own drop reasons are; none of those.
-define(REASON, direct_message_outcomes).
%% Milliseconds. The caller waits for the answer; nobody else does.
-define(TIMEOUT, 5000).

%% @doc Tells it what happened, as JSON array, and waits until it has taken that in. Straight to the connection that ExHook has
%% to it, so that no other server is told, what went wrong is known, and EMQX logs none of it. Calls with the same
%% key go over the same connection.
-spec tell(iodata(), term()) -> ok | error.
tell(Array, Key) ->
    case call(on_message_dropped, #{message => message(?REPORTS, iolist_to_binary(Array)), reason => atom_to_binary(?REASON)}, Key) of
        {ok, _} -> ok;
        error -> error
    end.

%% @doc Asks for what it wants to be told of. The question is a message that nobody has published, and the answer another
%% in its place: nothing but the service can give it. `nothing': the service has answered that it leaves the message
%% as it is, as one does that knows of no such question.
-spec ask_for(binary()) -> {ok, binary()} | nothing | error.
ask_for(Question) ->
    case call(on_message_publish, #{message => message(?TAP, Question)}, tap) of
        {ok, #{value := {message, #{topic := ?TAP, payload := Text}}}} -> {ok, Text};
        {ok, _} -> nothing;
        error -> error
    end.

message(Topic, Payload) ->
    emqx_exhook_handler:message(emqx_message:make(<<"tightbeam">>, 0, Topic, Payload, #{}, #{})).

call(Function, Request, Key) ->
    Options = #{channel => name(), key_dispatch => Key, timeout => ?TIMEOUT},
    try tightbeam_emqx:call_provider(Function, Request#{meta => emqx_exhook_handler:request_meta()}, Options) of
        {ok, Response, _Metadata} -> {ok, Response};
        _ -> error
    catch
        %% No connection at the moment.
        _:_ -> error
    end.

name() ->
    tightbeam_config:get(exhook_server).
