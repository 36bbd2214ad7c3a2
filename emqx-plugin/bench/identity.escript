#!/usr/bin/env escript
%% What the plugin itself takes for a confirmed message, without and with an identity (identity.sh): from the callback that takes the
%% sender's PUBLISH to the one that has the device's PUBACK, on stand-ins of EMQX that do next to nothing.
-mode(compile).

-define(MESSAGES, 20000).
-define(ROUNDS, 7).

main([Ebin, StandIns]) ->
    true = code:add_patha(Ebin),
    true = code:add_patha(StandIns),
    emqx_cm:start(),
    emqx_hooks:start(),
    emqx_metrics:start(),
    emqx_exhook_metrics:reset(),
    logger:set_primary_config(level, none),
    emqx:set_config([authorization, cache], #{enable => true, ttl => 600000}),
    emqx:set_config([authorization, no_match], allow),
    {ok, _} = application:ensure_all_started(tightbeam),
    tightbeam_config:put(#{guard => off, report => false, identities_max_per_principal => 1000000, identities_max => 1000000}),
    Dev = self(),
    emqx_cm:put_channel(<<"d">>, Dev, #{conn_state => connected, clientinfo => #{clientid => <<"d">>}, conninfo => #{proto_ver => 5}}),
    emqx_cm:put_channel(<<"sender">>, self(), #{conninfo => #{conn_mod => emqx_connection}}),
    ok = message(1, []),
    Times = [{round_of(N, []), round_of(N, [id])} || N <- lists:seq(1, ?ROUNDS)],
    {Without, With} = lists:unzip(Times),
    io:format("microseconds of processor time a message, median of ~b rounds of ~b: without ~.2f, with ~.2f~n", [?ROUNDS, ?MESSAGES, median(Without), median(With)]).

median(List) -> lists:nth(1 + length(List) div 2, lists:sort(List)).

round_of(Round, Options) ->
    erlang:garbage_collect(),
    %% Processor time of the whole VM: a busy machine does not change it much.
    _ = statistics(runtime),
    [ok = message(Round * ?MESSAGES + I, Options) || I <- lists:seq(1, ?MESSAGES)],
    {_, Milliseconds} = statistics(runtime),
    Milliseconds * 1000 / ?MESSAGES.

message(I, Options) ->
    UserProps = [{<<"dm-id">>, integer_to_binary(I)} || id <- Options],
    Headers = #{proto_ver => 5, username => <<"u">>, properties => #{'User-Property' => UserProps}},
    Msg = emqx_message:make(<<"sender">>, 1, <<"$dm/d/t">>, <<"payload">>, #{}, Headers),
    {stop, _} = tightbeam_sender:on_publish(Msg),
    {stop, undefined} = tightbeam_sender:on_puback(1, Msg, [], 16#10),
    receive {deliver, _, Direct} -> ok end,
    _ = tightbeam_receiver:on_delivered(#{}, Direct),
    ok = tightbeam_receiver:on_completed(Direct, #{clientid => <<"d">>, reason_code => 0}),
    ok = tightbeam_receiver:on_acked(#{}, Direct),
    receive {puback, 1, [], 0} -> ok end.
