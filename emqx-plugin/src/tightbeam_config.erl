%% @doc The plugin's settings: EMQX's plugin configuration where there is one (5.7 and later), the
%% application environment before. Validated once, kept in a persistent term, read without a copy.
-module(tightbeam_config).

-export([load/0, unload/0, put/1, get/1, all/0, defaults/0, parse/1]).

-type key() ::
    service_username
    | exhook_server
    | guard
    | guard_authenticate
    | guard_authorize
    | report
    | aws_iot
    | max_pending
    | waiting_max
    | waiting_max_per_device
    | connection_waits_max
    | connection_waits_max_per_device
    | connection_waits_max_per_principal
    | identities_max
    | identities_max_per_principal
    | identities_ttl_ms
    | max_payload_bytes
    | max_client_id_length
    | max_topic_bytes
    | max_topic_slashes.

-define(KEY, {tightbeam, config}).
-define(NAME_VSN, "tightbeam-0.1.0").

-spec load() -> ok.
load() ->
    ?MODULE:put(maps:merge(from_env(), from_emqx())).

-spec unload() -> ok.
unload() ->
    _ = persistent_term:erase(?KEY),
    ok.

%% @doc Takes new settings; a key that is missing or has a value of the wrong kind gets its default
%% and a line in the log, so that a typing error never leaves the broker without the plugin.
-spec put(map()) -> ok.
put(Settings) ->
    {Config, Bad} = parse(Settings),
    [logger:warning(#{msg => "tightbeam_bad_setting", key => K, value => V}) || {K, V} <- Bad],
    persistent_term:put(?KEY, Config).

-spec get(key()) -> term().
get(Key) ->
    maps:get(Key, all()).

-spec all() -> #{key() => term()}.
all() ->
    persistent_term:get(?KEY, defaults()).

-spec defaults() -> #{key() => term()}.
defaults() ->
    #{
        %% The service's own MQTT user: its outcomes are not reported back to it.
        service_username => <<"tightbeam">>,
        %% The name under which the service is registered as an ExHook server.
        exhook_server => <<"tightbeam">>,
        %% auto: deny when that ExHook server is configured and does not answer; deny: deny whenever
        %% nobody answered; off: never deny.
        guard => auto,
        guard_authenticate => true,
        guard_authorize => true,
        report => true,
        %% MQTT as AWS IoT Core has it, in what EMQX's settings cannot do.
        aws_iot => false,
        max_pending => 100000,
        %% Messages that wait for room in the receive windows of devices of this node.
        waiting_max => 10000,
        waiting_max_per_device => 100,
        %% Messages of senders of this node that wait for their receivers to connect.
        connection_waits_max => 10000,
        connection_waits_max_per_device => 100,
        connection_waits_max_per_principal => 1000,
        %% Identities of deliveries that are remembered, each for so long after its outcome.
        identities_max => 100000,
        identities_max_per_principal => 10000,
        identities_ttl_ms => 300000,
        %% AWS IoT's limits, those of the service's configuration too: who raises one raises both.
        max_payload_bytes => 131072,
        max_client_id_length => 128,
        max_topic_bytes => 256,
        max_topic_slashes => 7
    }.

-spec parse(map()) -> {#{key() => term()}, [{key(), term()}]}.
parse(Settings) ->
    maps:fold(
        fun(Key, Default, {Config, Bad}) ->
            case lookup(Key, Settings) of
                undefined ->
                    {Config#{Key => Default}, Bad};
                Value ->
                    case value(Key, Value) of
                        {ok, Parsed} -> {Config#{Key => Parsed}, Bad};
                        error -> {Config#{Key => Default}, [{Key, Value} | Bad]}
                    end
            end
        end,
        {#{}, []},
        defaults()
    ).

lookup(Key, Settings) ->
    maps:get(Key, Settings, maps:get(atom_to_binary(Key), Settings, undefined)).

value(Key, V) when Key =:= service_username; Key =:= exhook_server ->
    try
        {ok, iolist_to_binary(V)}
    catch
        _:_ -> error
    end;
value(guard, V) ->
    case V of
        _ when V =:= auto; V =:= <<"auto">>; V =:= "auto" -> {ok, auto};
        _ when V =:= deny; V =:= <<"deny">>; V =:= "deny" -> {ok, deny};
        _ when V =:= off; V =:= <<"off">>; V =:= "off"; V =:= false -> {ok, off};
        _ -> error
    end;
value(max_topic_slashes, 0) -> {ok, 0};
value(Key, V) when is_integer(V), V > 0 ->
    case maps:get(Key, defaults()) of
        Default when is_integer(Default) -> {ok, V};
        _ -> error
    end;
value(Key, V) when
    is_boolean(V), (Key =:= guard_authenticate orelse Key =:= guard_authorize orelse Key =:= report orelse Key =:= aws_iot)
->
    {ok, V};
value(_, _) ->
    error.

from_env() ->
    maps:from_list([{K, V} || {K, V} <- application:get_all_env(tightbeam), is_map_key(K, defaults())]).

from_emqx() ->
    tightbeam_emqx:plugin_config(list_to_binary(?NAME_VSN)).
