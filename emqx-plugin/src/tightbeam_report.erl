%% @doc Tells the service what became of direct messages that came through MQTT itself, so that it can
%% log and count them like those that came through its HTTP API: as ExHook's `message.dropped', many
%% in one call, as a JSON array in place of the payload. Straight to ExHook, so rules and other
%% callbacks see nothing; from this process, so that no connection ever waits for the service; and
%% bounded, so that a slow service costs reports and not memory.
-module(tightbeam_report).

-behaviour(gen_server).

-export([start_link/0, subject/2, refused_subject/3, send/3, flush/0, tell_nothing/0, create_tables/0]).
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

%% Longest wait of a report in milliseconds: not felt in a log, and at most 10 calls a second under
%% light load.
-define(LINGER, 100).
%% Most reports in one call: enough that the call, which costs the service as much as some 30 of them,
%% no longer counts.
-define(BATCH, 250).
%% Bytes of reports after which a call goes out as it is: topics can be long, and gRPC takes 4 MiB.
-define(BATCH_BYTES, 131072).
%% Most reports that wait, together some 4 MB, while the service is slow.
-define(MAX_QUEUE, 10000).
%% What waits, in order. A table and not the mailbox, so that this process wakes once for many.
-define(TAB, ?MODULE).
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

%% @doc The table belongs to the supervisor, so that a crash here loses no report.
-spec create_tables() -> ok.
create_tables() ->
    ?TAB = ets:new(?TAB, [ordered_set, named_table, public, {write_concurrency, true}]),
    persistent_term:put(?COUNTER, atomics:new(1, [])).

%% @doc Duration in microseconds.
-spec send(subject(), tightbeam_outcome:outcome(), non_neg_integer()) -> ok.
send(undefined, _Outcome, _Duration) ->
    ok;
send(Subject, Outcome, Duration) ->
    Queue = persistent_term:get(?COUNTER),
    case atomics:add_get(Queue, 1, 1) of
        N when N =< ?MAX_QUEUE ->
            Report = {erlang:unique_integer([monotonic]), Subject, Outcome, Duration, erlang:system_time(millisecond)},
            keep(Report, Queue),
            wake(N);
        _ ->
            atomics:sub(Queue, 1, 1),
            tightbeam_metrics:inc('tightbeam.report.dropped')
    end.

keep(Report, Queue) ->
    try
        true = ets:insert(?TAB, Report)
    catch
        %% The plugin has been stopped.
        error:badarg -> atomics:sub(Queue, 1, 1)
    end.

%% The first that waits starts the clock, a full call does not wait for it.
wake(1) -> gen_server:cast(?MODULE, first);
wake(?BATCH) -> gen_server:cast(?MODULE, full);
wake(_) -> ok.

%% @doc Waits until what is queued has been sent, or for two seconds.
-spec flush() -> ok.
flush() ->
    try
        gen_server:call(?MODULE, flush, 2000)
    catch
        exit:_ -> ok
    end.

%% @doc A call with no reports in it, from the calling process, which waits for the answer.
-spec tell_nothing() -> ok.
tell_nothing() ->
    _ = tell_service("[]"),
    ok.

%% The state is the timer that runs while something waits.
init([]) ->
    {ok, linger(undefined)}.

handle_call(flush, _From, Timer) ->
    ok = tell(1),
    {reply, ok, linger(Timer)};
handle_call(_Request, _From, Timer) ->
    {reply, ignored, Timer}.

handle_cast(first, Timer) ->
    {noreply, linger(Timer)};
handle_cast(full, Timer) ->
    ok = tell(?BATCH),
    {noreply, linger(Timer)};
handle_cast(_, Timer) ->
    {noreply, Timer}.

handle_info({timeout, Timer, linger}, Timer) ->
    ok = tell(1),
    {noreply, linger(undefined)};
handle_info(_, Timer) ->
    {noreply, Timer}.

linger(undefined) ->
    case waiting() of
        0 -> undefined;
        _ -> erlang:start_timer(?LINGER, self(), linger)
    end;
linger(Timer) ->
    Timer.

waiting() ->
    atomics:get(persistent_term:get(?COUNTER), 1).

%% As long as so many wait. One call at a time: what comes while it lasts waits in the table.
tell(AtLeast) ->
    case waiting() >= AtLeast andalso ets:match_object(?TAB, '_', ?BATCH) of
        {Reports, _More} ->
            {Encoded, Count} = take(Reports),
            ok = call(Encoded, Count),
            tell(AtLeast);
        %% Counted, and not there yet.
        _ ->
            ok
    end.

%% From the oldest on, until a call is full.
take(Reports) ->
    take(Reports, [], 0, 0).

take([{Key, Subject, Outcome, Duration, EndedAt} | Reports], Encoded, Count, Bytes) when Bytes < ?BATCH_BYTES ->
    true = ets:delete(?TAB, Key),
    ok = atomics:sub(persistent_term:get(?COUNTER), 1, 1),
    try encode(Subject, Outcome, Duration, EndedAt) of
        Report -> take(Reports, [Report | Encoded], Count + 1, Bytes + byte_size(Report))
    catch
        _:_ ->
            tightbeam_metrics:inc('tightbeam.report.dropped'),
            take(Reports, Encoded, Count, Bytes)
    end;
take(_, Encoded, Count, _Bytes) ->
    {lists:reverse(Encoded), Count}.

call(_Encoded, 0) ->
    ok;
call(Encoded, Count) ->
    case tell_service([$[, lists:join($,, Encoded), $]]) of
        ok -> tightbeam_metrics:inc('tightbeam.report.sent', Count);
        error -> tightbeam_metrics:inc('tightbeam.report.dropped', Count)
    end.

tell_service(Array) ->
    Msg = emqx_message:make(<<"tightbeam">>, 0, ?TOPIC, iolist_to_binary(Array), #{}, #{}),
    try
        _ = emqx_exhook_handler:on_message_dropped(Msg, #{node => node()}, ?REASON),
        ok
    catch
        %% No ExHook on this EMQX, or it is being restarted.
        _:_ -> error
    end.

encode(Subject, Outcome, Duration, EndedAt) ->
    iolist_to_binary([
        "{\"reason\":\"", tightbeam_outcome:reason(Outcome),
        "\",\"topic\":", tightbeam_json:string(Subject#subject.topic),
        ",\"from\":", tightbeam_json:string(Subject#subject.from),
        member(<<"username">>, Subject#subject.username),
        member(<<"peerhost">>, Subject#subject.peerhost),
        ",\"durationMs\":", float_to_binary(Duration / 1000, [{decimals, 3}, compact]),
        ",\"endedAt\":", integer_to_binary(EndedAt),
        member(<<"qos">>, Subject#subject.qos),
        member(<<"payloadBytes">>, Subject#subject.payload_bytes),
        member(<<"traceparent">>, Subject#subject.traceparent),
        $}
    ]).

member(_Name, undefined) -> [];
member(Name, Value) -> [$,, tightbeam_json:member(Name, Value)].
