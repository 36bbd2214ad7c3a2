%% The calls as EMQX's generated client makes them.
-module(emqx_exhook_v_2_hook_provider_client).
-export([on_message_dropped/2, on_message_publish/2]).

on_message_dropped(Request, Options) -> tightbeam_service:call(on_message_dropped, Request, Options).
on_message_publish(Request, Options) -> tightbeam_service:call(on_message_publish, Request, Options).
