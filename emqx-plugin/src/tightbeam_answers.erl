%% @doc Answers to requests that are waited for, on the node of the device's connection: what that client itself publishes, and
%% may publish, on the response topic with the Correlation Data of the request (MQTT 5, section 4.10); without any, where a
%% single request waits for it there. While nobody waits, ordinary traffic costs one look at a counter.
-module(tightbeam_answers).

-behaviour(gen_server).

-export([start_link/0, create_tables/0, has_room/4, wait/2, written/1, acknowledged/1, find/1, forget/1, published/1, moves/1, is_bare/1, count/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([awaited/0]).

-type awaited() :: #{
    key := tightbeam_pending:key(),
    %% waiting: the request was not written yet; monotonic milliseconds: since when it has been; acknowledged: and the device
    %% has it.
    state := waiting | {written, integer()} | {acknowledged, integer()},
    identity := tightbeam_identity:place() | undefined,
    deadline := integer()
}.

-record(awaited, {
    %% Ordered by client and topic.
    at :: {binary(), binary(), tightbeam_pending:key()} | '_' | '$2',
    correlation :: binary() | '_',
    state :: waiting | {written, integer()} | {acknowledged, integer()} | '_',
    identity :: tightbeam_identity:place() | undefined | '_',
    %% Monotonic milliseconds: until then somebody waits; later the answer is kept for a repeat.
    deadline :: integer() | '_',
    until :: integer() | '$1'
}).

-define(TAB, ?MODULE).
%% {Key, {ClientId, Topic, Key}}
-define(BY_KEY, tightbeam_answers_by_key).
%% {Channel}: connections whose devices leave the Correlation Data out.
-define(BARE, tightbeam_answers_bare).
-define(COUNTER, {tightbeam, awaited_answers}).
-define(SWEEP, 5000).
%% Milliseconds that a request may be answered late where nobody can repeat it.
-define(GRACE, 5000).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec create_tables() -> ok.
create_tables() ->
    Opts = [named_table, public, {write_concurrency, true}],
    ?TAB = ets:new(?TAB, [ordered_set, {keypos, #awaited.at} | Opts]),
    ?BY_KEY = ets:new(?BY_KEY, [set | Opts]),
    ?BARE = ets:new(?BARE, [set | Opts]),
    persistent_term:put(?COUNTER, atomics:new(1, [])).

-spec count() -> non_neg_integer().
count() ->
    atomics:get(persistent_term:get(?COUNTER), 1).

%% @doc May one more request to that connection wait? Where its answers have nothing by which two could be told apart, one
%% may at a time; this is asked in the worker of the client ID alone then.
-spec has_room(pid(), boolean(), tightbeam_pending:key(), tightbeam_delivery:job()) -> boolean().
has_room(Channel, SpeaksMqtt5, Key, #{request := #{answer := #{topic := Topic}, clientid := ClientId}}) ->
    case SpeaksMqtt5 andalso not is_bare(Channel) of
        true -> true;
        false -> [1 || #awaited{at = {_, _, Other}} = A <- all(ClientId, Topic), Other =/= Key, is_waiting(A)] =:= []
    end;
has_room(_Channel, _SpeaksMqtt5, _Key, _NoRequest) ->
    true.

%% @doc Have answers on that connection come without Correlation Data?
-spec is_bare(pid()) -> boolean().
is_bare(Channel) ->
    ets:member(?BARE, Channel).

%% @doc To be called before a message is handed over; if it is a request, its answer counts once it has been written.
-spec wait(tightbeam_delivery:job(), tightbeam_identity:place() | undefined) -> ok.
wait(#{key := Key, request := #{answer := #{topic := Topic, correlation := Correlation}, clientid := ClientId}, deadline := Deadline}, Place) ->
    add(#awaited{
        at = {ClientId, Topic, Key}, correlation = Correlation, state = waiting, identity = Place, deadline = Deadline, until = until(Deadline, Place)
    });
wait(_NoRequest, _Place) ->
    ok.

%% As long as its identity may be remembered.
until(Deadline, undefined) -> Deadline + ?GRACE;
until(Deadline, _Place) -> Deadline + tightbeam_config:get(identities_ttl_ms).

add(#awaited{at = {_, _, Key} = At} = Awaited) ->
    case ets:insert_new(?BY_KEY, {Key, At}) of
        true -> atomics:add(persistent_term:get(?COUNTER), 1, 1);
        false -> ok
    end,
    true = ets:insert(?TAB, Awaited),
    ok.

%% @doc It is being written to the device; where its session was taken over, from another node perhaps, to the next
%% connection.
-spec written(tightbeam_message:tag()) -> ok.
written(#{key := Key, answer := #{topic := Topic, correlation := Correlation, clientid := ClientId, timeout := Timeout}, identity := Place}) ->
    Now = now_ms(),
    case at(Key) of
        undefined ->
            add(#awaited{
                at = {ClientId, Topic, Key}, correlation = Correlation, state = {written, Now}, identity = Place,
                deadline = Now + Timeout, until = until(Now + Timeout, Place)
            });
        At ->
            set_state(At, {written, Now})
    end;
written(_NoRequest) ->
    ok.

%% @doc The device has acknowledged: its answer is still to come. False: it is no request, or answered already.
-spec acknowledged(tightbeam_message:tag()) -> boolean().
acknowledged(#{key := Key, answer := #{}}) ->
    case find(Key) of
        #{state := {written, At}} -> set_state(at(Key), {acknowledged, At});
        _ -> ok
    end,
    _ = tightbeam_inflight:remove(Key),
    true;
acknowledged(_NoRequest) ->
    false.

set_state(At, State) ->
    _ = ets:update_element(?TAB, At, {#awaited.state, State}),
    ok.

at(Key) ->
    try ets:lookup(?BY_KEY, Key) of
        [{_, At}] -> At;
        [] -> undefined
    catch
        %% The plugin has been stopped.
        error:badarg -> undefined
    end.

-spec find(tightbeam_pending:key() | undefined) -> awaited() | undefined.
find(Key) ->
    case at(Key) of
        undefined ->
            undefined;
        At ->
            case ets:lookup(?TAB, At) of
                [#awaited{state = State, identity = Place, deadline = Deadline}] ->
                    #{key => Key, state => State, identity => Place, deadline => Deadline};
                [] ->
                    undefined
            end
    end.

%% @doc No answer to that is of interest any more. Once: false, it was not there.
-spec forget(tightbeam_pending:key() | undefined) -> boolean().
forget(Key) ->
    try count() > 0 andalso ets:take(?BY_KEY, Key) of
        [{_, At}] ->
            ok = atomics:sub(persistent_term:get(?COUNTER), 1, 1),
            ets:delete(?TAB, At);
        _ ->
            false
    catch
        error:badarg -> false
    end.

%% @doc In the connection of a client, which has published, and was allowed to; its PUBLISH goes on in any case.
-spec published(term()) -> ok.
published(Msg) ->
    try
        ClientId = emqx_message:from(Msg),
        case is_binary(ClientId) andalso is_asked(ClientId) andalso tightbeam_request:is_own_publish(Msg) of
            true -> maybe_answer(ClientId, own_topic(ClientId, emqx_message:topic(Msg)), Msg);
            false -> ok
        end
    catch
        Class:Reason:Stacktrace ->
            logger:error(#{msg => "tightbeam_answer_failed", class => Class, reason => Reason, stacktrace => Stacktrace})
    end.

is_asked(ClientId) ->
    case ets:next(?TAB, {ClientId, <<>>, 0}) of
        {ClientId, _, _} -> true;
        _ -> false
    end.

%% As the client wrote it: EMQX has put its mountpoint before it.
own_topic(ClientId, Topic) ->
    case emqx_cm:do_get_chan_info(ClientId, self()) of
        #{clientinfo := #{mountpoint := Mountpoint}} when is_binary(Mountpoint) ->
            Size = byte_size(Mountpoint),
            case Topic of
                <<Mountpoint:Size/binary, Own/binary>> -> Own;
                _ -> Topic
            end;
        _ ->
            Topic
    end.

maybe_answer(ClientId, Topic, Msg) ->
    case all(ClientId, Topic) of
        [] ->
            ok;
        All ->
            Props = emqx_message:get_header(properties, Msg, #{}),
            answer(chosen(maps:get('Correlation-Data', Props, undefined), All), Topic, Props, emqx_message:payload(Msg))
    end.

chosen(undefined, All) ->
    true = ets:insert(?BARE, {self()}),
    case [A || A <- All, is_waiting(A)] of
        [#awaited{state = State} = Only] when State =/= waiting -> Only;
        _ -> none
    end;
chosen(Correlation, All) ->
    true = ets:delete(?BARE, self()),
    case [A || #awaited{correlation = C, state = State} = A <- All, C =:= Correlation, State =/= waiting] of
        [First | _] -> First;
        [] -> none
    end.

answer(none, _Topic, _Props, _Payload) ->
    ok;
answer(#awaited{at = {_, _, Key}, identity = Place}, Topic, Props, Payload) ->
    case forget(Key) of
        true ->
            {Outcome, Details} = outcome(Topic, Props, Payload),
            tightbeam_settle:outcome(Key, Place, Outcome, Details#{written => yes});
        false ->
            ok
    end.

outcome(Topic, Props, Payload) ->
    ContentType = maps:get('Content-Type', Props, undefined),
    UserProps = maps:get('User-Property', Props, []),
    Texts = [K || {K, _} <- UserProps] ++ [V || {_, V} <- UserProps] ++ [ContentType || ContentType =/= undefined],
    Response = #{topic => Topic, payload => Payload, content_type => ContentType, user_properties => UserProps},
    case byte_size(Payload) + iolist_size(Texts) =< tightbeam_config:get(max_payload_bytes) of
        true -> {answered, #{response => Response}};
        false -> {response_too_large, #{}}
    end.

all(ClientId, Topic) ->
    all(ClientId, Topic, ets:next(?TAB, {ClientId, Topic, 0})).

all(ClientId, Topic, {ClientId, Topic, _} = At) ->
    ets:lookup(?TAB, At) ++ all(ClientId, Topic, ets:next(?TAB, At));
all(_ClientId, _Topic, _Other) ->
    [].

%% Does somebody wait for it now, or only may come back for it?
is_waiting(#awaited{at = {_, _, Key}, deadline = Deadline, identity = Place}) ->
    (Deadline > now_ms() andalso tightbeam_pending:is_open(Key)) orelse tightbeam_joined:is_awaited(Place).

%%--------------------------------------------------------------------
%% The wait follows the client ID
%%--------------------------------------------------------------------

%% @doc A connection of that client has ended; what it has acknowledged it may answer over the next one, on whatever node.
-spec moves(binary()) -> ok.
moves(ClientId) ->
    try count() > 0 andalso nodes() =/= [] of
        true ->
            Now = now_ms(),
            Awaited = [
                #{
                    key => Key, topic => Topic, correlation => Correlation, identity => Place, waits => Deadline - Now, remaining => Until - Now
                }
             || #awaited{at = {_, Topic, Key}, correlation = Correlation, state = {_, _}, identity = Place, deadline = Deadline, until = Until} <-
                    ets:match_object(?TAB, #awaited{at = {ClientId, '_', '_'}, _ = '_'})
            ],
            Awaited =/= [] andalso
                [tightbeam_wire:cast(Node, ?MODULE, awaited, #{clientid => ClientId, awaited => Awaited}) || Node <- nodes()],
            ok;
        false ->
            ok
    catch
        error:badarg -> ok
    end.

adopt(ClientId, #{key := Key, topic := Topic, correlation := Correlation, identity := Place, waits := Waits, remaining := Remaining}) ->
    Now = now_ms(),
    at(Key) =:= undefined andalso
        add(#awaited{
            at = {ClientId, Topic, Key}, correlation = Correlation, state = {acknowledged, Now}, identity = Place,
            deadline = Now + Waits, until = Now + Remaining
        }).

init([]) ->
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {ok, #{}}.

handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast(Word, State) ->
    case tightbeam_wire:read(Word) of
        {awaited, #{clientid := ClientId, awaited := Awaited}} -> lists:foreach(fun(A) -> adopt(ClientId, A) end, Awaited);
        _ -> ok
    end,
    {noreply, State}.

handle_info(sweep, State) ->
    Old = ets:select(?TAB, [{#awaited{at = '$2', until = '$1', _ = '_'}, [{'<', '$1', now_ms()}], ['$2']}]),
    lists:foreach(fun({_, _, Key}) -> forget(Key) end, Old),
    lists:foreach(fun({Channel}) -> is_process_alive(Channel) orelse ets:delete(?BARE, Channel) end, ets:tab2list(?BARE)),
    _ = erlang:send_after(?SWEEP, self(), sweep),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

now_ms() ->
    erlang:monotonic_time(millisecond).
