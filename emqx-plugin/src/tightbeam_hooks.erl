%% @doc Where the plugin's callbacks are in EMQX's chains. What is hooked here is unhooked here; the callbacks on ordinary
%% traffic do one look at the topic or at a header and leave.
-module(tightbeam_hooks).

-export([hook/0, unhook/0, missing/0]).
%% EMQX's own: highest 1000 (`emqx_streams' in 6.x takes every publish there), rewrite 980, authentication 970, authorization
%% 960, retainer 930, rule engine 900, delayed publish 860, ExHook 100.
-define(FIRST, 1001).
%% What is taken out there is no event.
-define(BEFORE_TAP, 1002).
%% The guard has the last word: whatever ExHook's callback does (decide, fail, crash during a reload), it comes after.
-define(AFTER_EXHOOK, 50).
%% What others make of it is changed once more.
-define(LAST, -1001).
%% After EMQX's own authentication and authorization, in the place of ExHook's question.
-define(BEFORE_EXHOOK, 101).
-define(BEFORE_QUESTION, 102).

callbacks() ->
    delivery() ++ tap() ++ presence().

delivery() ->
    [
        {'message.publish', {tightbeam_sender, on_publish, []}, ?BEFORE_TAP},
        {'message.publish', {tightbeam_aws, on_publish, []}, ?FIRST},
        {'client.connack', {tightbeam_aws, on_connack, []}, ?LAST},
        {'client.subscribe', {tightbeam_aws, on_subscribe, []}, ?LAST},
        {'message.puback', {tightbeam_sender, on_puback, []}, ?FIRST},
        {'message.delivered', {tightbeam_receiver, on_delivered, []}, ?FIRST},
        {'delivery.completed', {tightbeam_receiver, on_completed, []}, ?FIRST},
        {'message.acked', {tightbeam_receiver, on_acked, []}, ?FIRST},
        {'delivery.dropped', {tightbeam_receiver, on_delivery_dropped, []}, ?FIRST},
        {'client.disconnected', {tightbeam_receiver, on_disconnected, []}, ?FIRST},
        {'client.connect', {tightbeam_facts, on_connect, []}, ?FIRST},
        {'client.connected', {tightbeam_will, on_connected, []}, ?FIRST},
        {'client.connected', {tightbeam_arrivals, on_connected, []}, ?FIRST},
        {'client.authorize', {tightbeam_will, on_authorize, []}, ?FIRST},
        {'client.authorize', {tightbeam_access, on_authorize, []}, ?FIRST},
        {'client.check_authz_complete', {tightbeam_access, on_authz_complete, []}, ?FIRST},
        {'client.authenticate', {tightbeam_question, on_authenticate, []}, ?BEFORE_EXHOOK},
        {'client.authorize', {tightbeam_question, on_authorize, []}, ?BEFORE_EXHOOK},
        {'client.authenticate', {tightbeam_guard, on_authenticate, []}, ?AFTER_EXHOOK},
        {'client.authorize', {tightbeam_guard, on_authorize, []}, ?AFTER_EXHOOK}
    ] ++
        [
            {'client.timeout', {tightbeam_puback, on_timeout, []}, ?FIRST}
         || tightbeam_emqx:has_hook_point('client.timeout')
        ].

%% Lifecycle events, after everybody else has done with a subscription.
presence() ->
    [
        {'session.created', {tightbeam_presence, on_session, []}, ?FIRST},
        {'session.resumed', {tightbeam_presence, on_session, []}, ?FIRST},
        {'client.connected', {tightbeam_presence, on_connected, []}, ?FIRST},
        {'client.disconnected', {tightbeam_presence, on_disconnected, []}, ?FIRST},
        {'client.subscribe', {tightbeam_presence, on_subscribe, []}, ?LAST},
        {'session.subscribed', {tightbeam_presence, on_subscribed, []}, ?FIRST},
        {'client.unsubscribe', {tightbeam_presence, on_unsubscribe, []}, ?LAST}
    ].

%% Events.
tap() ->
    [
        {'client.connected', {tightbeam_tap, on_connected, []}, ?FIRST},
        {'client.connack', {tightbeam_tap, on_connack, []}, ?FIRST},
        {'client.disconnected', {tightbeam_tap, on_disconnected, []}, ?FIRST},
        {'client.authenticate', {tightbeam_tap, on_authenticate, []}, ?BEFORE_QUESTION},
        {'client.check_authz_complete', {tightbeam_tap, on_authz_complete, []}, ?FIRST},
        {'session.subscribed', {tightbeam_tap, on_subscribed, []}, ?FIRST},
        {'session.unsubscribed', {tightbeam_tap, on_unsubscribed, []}, ?FIRST},
        {'session.resumed', {tightbeam_tap, on_resumed, []}, ?FIRST},
        {'session.terminated', {tightbeam_tap, on_terminated, []}, ?FIRST},
        {'message.publish', {tightbeam_tap, on_publish, []}, ?FIRST},
        {'message.delivered', {tightbeam_tap, on_delivered, []}, ?FIRST},
        {'message.acked', {tightbeam_tap, on_acked, []}, ?FIRST},
        {'message.dropped', {tightbeam_tap, on_dropped, []}, ?FIRST},
        {'delivery.dropped', {tightbeam_tap, on_delivery_dropped, []}, ?FIRST}
    ] ++
        %% With it came the reason code.
        [
            {'delivery.completed', {tightbeam_tap, on_completed, []}, ?FIRST}
         || tightbeam_emqx:has_hook_point('client.handle_info')
        ].

-spec hook() -> ok.
hook() ->
    lists:foreach(fun({Name, Action, Priority}) -> ok = emqx_hooks:put(Name, Action, Priority) end, callbacks()).

%% @doc Returns when EMQX has let go of all of them: the code may be unloaded after this.
-spec unhook() -> ok.
unhook() ->
    lists:foreach(fun({Name, {M, F, _}, _}) -> ok = emqx_hooks:del(Name, {M, F}) end, callbacks()),
    wait_until_gone(100).

wait_until_gone(0) ->
    logger:error(#{msg => "tightbeam_hooks_left", hooks => callbacks()});
wait_until_gone(N) ->
    case length(missing()) =:= length(callbacks()) of
        true ->
            ok;
        false ->
            timer:sleep(10),
            wait_until_gone(N - 1)
    end.

%% @doc Callbacks that EMQX does not know (any more).
-spec missing() -> [{atom(), module()}].
missing() ->
    [
        {Name, M}
     || {Name, {M, F, _} = Action, _} <- callbacks(),
        not lists:any(
            fun(C) ->
                A = emqx_hooks:callback_action(C),
                A =:= Action orelse A =:= {M, F}
            end,
            emqx_hooks:lookup(Name)
        )
    ].
