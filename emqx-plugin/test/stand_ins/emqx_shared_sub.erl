%% Never called by the plugin: what it does is in the channels of the tests.
-module(emqx_shared_sub).
-export([maybe_nack_dropped/1, nack_no_connection/1]).
maybe_nack_dropped(_Msg) -> error(not_here).
nack_no_connection(_Msg) -> error(not_here).
