-module(emqx_release).
-export([version/0]).
version() -> persistent_term:get({?MODULE, version}, ?VERSION ++ ".0").
