%% @doc Tells the service what became of direct messages that came through MQTT itself, so that it can
%% log and count them like those that came through its HTTP API: as ExHook's `message.dropped' on the
%% direct topic, with a report in place of the payload. Straight to ExHook, so rules and other
%% callbacks see nothing; from this process, so that no connection ever waits for the service; and
%% bounded, so that a slow service costs reports and not memory.
-module(tightbeam_report).

-behaviour(gen_server).

-export([start_link/0, subject/1, send/3, flush/0, encode/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([subject/0]).

%% undefined: the sender is the service itself, which knows.
-type subject() :: undefined | term().

-define(MAX_QUEUE, 1000).
-define(COUNTER, {tightbeam, report_queue}).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc What has to be kept of a message until its outcome is known.
-spec subject(term()) -> subject().
subject(Msg) ->
    ServiceUser = tightbeam_config:get(service_username),
    case tightbeam_config:get(report) of
        true ->
            case emqx_message:get_header(username, Msg, undefined) of
                ServiceUser -> undefined;
                _ -> Msg
            end;
        false ->
            undefined
    end.

%% @doc Duration in microseconds.
-spec send(subject(), tightbeam_outcome:outcome(), non_neg_integer()) -> ok.
send(undefined, _Outcome, _Duration) ->
    ok;
send(Msg, Outcome, Duration) ->
    Queue = persistent_term:get(?COUNTER),
    case atomics:add_get(Queue, 1, 1) of
        N when N =< ?MAX_QUEUE ->
            gen_server:cast(?MODULE, {report, Msg, Outcome, Duration});
        _ ->
            atomics:sub(Queue, 1, 1),
            tightbeam_metrics:inc('tightbeam.report.dropped')
    end.

%% @doc Waits until what is queued has been sent, or for two seconds.
-spec flush() -> ok.
flush() ->
    try
        gen_server:call(?MODULE, flush, 2000)
    catch
        exit:_ -> ok
    end.

%% @doc The report, as JSON. Nothing in it needs escaping: words, numbers, and a checked traceparent.
-spec encode(term(), tightbeam_outcome:outcome(), non_neg_integer()) -> binary().
encode(Msg, Outcome, Duration) ->
    Trace =
        case tightbeam_request:traceparent(Msg) of
            undefined -> [];
            Value -> [",\"traceparent\":\"", Value, "\""]
        end,
    iolist_to_binary([
        "{\"reason\":\"", tightbeam_outcome:reason(Outcome),
        "\",\"durationMs\":", float_to_binary(Duration / 1000, [{decimals, 3}, compact]),
        ",\"qos\":", integer_to_binary(emqx_message:qos(Msg)),
        ",\"payloadBytes\":", integer_to_binary(byte_size(emqx_message:payload(Msg))),
        Trace,
        "}"
    ]).

init([]) ->
    persistent_term:put(?COUNTER, atomics:new(1, [])),
    {ok, #{}}.

handle_call(flush, _From, State) ->
    {reply, ok, State};
handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({report, Msg, Outcome, Duration}, State) ->
    atomics:sub(persistent_term:get(?COUNTER), 1, 1),
    report(Msg, Outcome, Duration),
    {noreply, State};
handle_cast(_, State) ->
    {noreply, State}.

handle_info(_, State) ->
    {noreply, State}.

report(Msg, Outcome, Duration) ->
    Map = emqx_message:to_map(Msg),
    Report = emqx_message:from_map(Map#{payload => encode(Msg, Outcome, Duration)}),
    try
        %% The reason is an atom, as EMQX's own are.
        _ = emqx_exhook_handler:on_message_dropped(
            Report, #{node => node()}, binary_to_atom(tightbeam_outcome:reason(Outcome))
        ),
        tightbeam_metrics:inc('tightbeam.report.sent')
    catch
        %% No ExHook on this EMQX, or it is being restarted.
        _:_ -> tightbeam_metrics:inc('tightbeam.report.dropped')
    end.
