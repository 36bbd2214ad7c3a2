%% @doc Tells the service what became of direct messages that came through MQTT itself, so that it can
%% log and count them like those that came through its HTTP API: as ExHook's `message.dropped', many
%% in one call, as a JSON array in place of the payload. Straight to ExHook, so rules and other
%% callbacks see nothing; from this process, so that no connection ever waits for the service; and
%% bounded, so that a slow service costs reports and not memory.
-module(tightbeam_report).

-behaviour(gen_server).

-export([start_link/0, subject/2, refused_subject/3, send/3, flush/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([subject/0]).

-record(subject, {
    topic :: binary(),
    from :: binary(),
    username :: binary() | undefined,
    peerhost :: inet:ip_address() | undefined,
    %% Undefined: EMQX did not say, for it asked before there was a message.
    qos :: 0..2 | undefined,
    payload_bytes :: non_neg_integer() | undefined,
    traceparent :: binary() | undefined
}).

%% undefined: the sender is the service itself, which knows, or nothing is to be reported.
-opaque subject() :: undefined | #subject{}.

%% Longest wait of a report in milliseconds: not felt in a log, and at most 50 calls a second under
%% light load.
-define(LINGER, 20).
%% Most reports in one call: enough that the call, which costs the service as much as some 30 of them,
%% no longer counts.
-define(BATCH, 100).
%% Bytes of reports after which a call goes out as it is: topics can be long, and gRPC takes 4 MiB.
-define(BATCH_BYTES, 65536).
%% Most reports that wait, together some 4 MB, while the service is slow.
-define(MAX_QUEUE, 10000).
-define(COUNTER, {tightbeam, report_queue}).
%% Under `$dm/#', with which the service registers, and no direct topic: it has no topic for a device.
-define(TOPIC, <<"$dm/outcomes">>).
%% An atom, as EMQX's own drop reasons are; none of those.
-define(REASON, direct_message_outcomes).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc What has to be kept of a message until its outcome is known. QoS: that of the delivery.
-spec subject(term(), 0..2) -> subject().
subject(Msg, QoS) ->
    Username = emqx_message:get_header(username, Msg, undefined),
    case is_reported(Username) of
        true ->
            #subject{
                topic = emqx_message:topic(Msg),
                from = emqx_message:from(Msg),
                username = Username,
                peerhost = emqx_message:get_header(peerhost, Msg, undefined),
                qos = QoS,
                payload_bytes = byte_size(emqx_message:payload(Msg)),
                traceparent = tightbeam_request:traceparent(Msg)
            };
        false ->
            undefined
    end.

%% @doc The same for a PUBLISH that was refused before there was a message.
-spec refused_subject(map(), 0..2 | undefined, binary()) -> subject().
refused_subject(#{clientid := ClientId} = ClientInfo, QoS, Topic) ->
    Username = maps:get(username, ClientInfo, undefined),
    case is_reported(Username) of
        true ->
            #subject{
                topic = Topic,
                from = ClientId,
                username = Username,
                peerhost = maps:get(peerhost, ClientInfo, undefined),
                qos = QoS
            };
        false ->
            undefined
    end.

is_reported(Username) ->
    tightbeam_config:get(report) andalso Username =/= tightbeam_config:get(service_username).

%% @doc Duration in microseconds.
-spec send(subject(), tightbeam_outcome:outcome(), non_neg_integer()) -> ok.
send(undefined, _Outcome, _Duration) ->
    ok;
send(Subject, Outcome, Duration) ->
    Queue = persistent_term:get(?COUNTER),
    case atomics:add_get(Queue, 1, 1) of
        N when N =< ?MAX_QUEUE ->
            gen_server:cast(?MODULE, {report, Subject, Outcome, Duration, erlang:system_time(millisecond)});
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

-record(batch, {
    %% Newest first.
    reports = [] :: [iodata()],
    count = 0 :: non_neg_integer(),
    bytes = 0 :: non_neg_integer(),
    timer :: reference() | undefined
}).

init([]) ->
    persistent_term:put(?COUNTER, atomics:new(1, [])),
    {ok, #batch{}}.

handle_call(flush, _From, Batch) ->
    {reply, ok, call(Batch)};
handle_call(_Request, _From, Batch) ->
    {reply, ignored, Batch}.

handle_cast({report, Subject, Outcome, Duration, EndedAt}, Batch) ->
    atomics:sub(persistent_term:get(?COUNTER), 1, 1),
    try encode(Subject, Outcome, Duration, EndedAt) of
        Report -> {noreply, add(Report, Batch)}
    catch
        _:_ ->
            tightbeam_metrics:inc('tightbeam.report.dropped'),
            {noreply, Batch}
    end;
handle_cast(_, Batch) ->
    {noreply, Batch}.

handle_info({timeout, Timer, linger}, #batch{timer = Timer} = Batch) ->
    {noreply, call(Batch)};
handle_info(_, Batch) ->
    {noreply, Batch}.

add(Report, #batch{reports = Reports, count = Count0, bytes = Bytes0, timer = Timer} = Batch0) ->
    Count = Count0 + 1,
    Bytes = Bytes0 + byte_size(Report),
    Batch = Batch0#batch{reports = [Report | Reports], count = Count, bytes = Bytes},
    case Count >= ?BATCH orelse Bytes >= ?BATCH_BYTES of
        true -> call(Batch);
        false when Timer =:= undefined -> Batch#batch{timer = erlang:start_timer(?LINGER, self(), linger)};
        false -> Batch
    end.

%% One call at a time: what comes while it lasts waits in the mailbox.
call(#batch{count = 0} = Batch) ->
    Batch;
call(#batch{reports = Reports, count = Count, timer = Timer}) ->
    Timer =:= undefined orelse erlang:cancel_timer(Timer, [{async, true}, {info, false}]),
    Payload = iolist_to_binary([$[, lists:join($,, lists:reverse(Reports)), $]]),
    Msg = emqx_message:make(<<"tightbeam">>, 0, ?TOPIC, Payload, #{}, #{}),
    try
        _ = emqx_exhook_handler:on_message_dropped(Msg, #{node => node()}, ?REASON),
        tightbeam_metrics:inc('tightbeam.report.sent', Count)
    catch
        %% No ExHook on this EMQX, or it is being restarted.
        _:_ -> tightbeam_metrics:inc('tightbeam.report.dropped', Count)
    end,
    #batch{}.

encode(Subject, Outcome, Duration, EndedAt) ->
    iolist_to_binary([
        "{\"reason\":\"", tightbeam_outcome:reason(Outcome),
        "\",\"topic\":", tightbeam_json:string(Subject#subject.topic),
        ",\"from\":", tightbeam_json:string(Subject#subject.from),
        member("username", fun tightbeam_json:string/1, Subject#subject.username),
        member("peerhost", fun address/1, Subject#subject.peerhost),
        ",\"durationMs\":", float_to_binary(Duration / 1000, [{decimals, 3}, compact]),
        ",\"endedAt\":", integer_to_binary(EndedAt),
        member("qos", fun erlang:integer_to_binary/1, Subject#subject.qos),
        member("payloadBytes", fun erlang:integer_to_binary/1, Subject#subject.payload_bytes),
        member("traceparent", fun tightbeam_json:string/1, Subject#subject.traceparent),
        $}
    ]).

member(_Name, _Write, undefined) -> [];
member(Name, Write, Value) -> [",\"", Name, "\":", Write(Value)].

address({A, B, C, D}) ->
    [$", integer_to_binary(A), $., integer_to_binary(B), $., integer_to_binary(C), $., integer_to_binary(D), $"];
address(Address) ->
    [$", inet:ntoa(Address), $"].
