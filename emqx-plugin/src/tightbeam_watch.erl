%% @doc Watches whether the service answers, and raises the alarm where it does not, however clients are refused then: by
%% the guard, or by EMQX itself (`failed_action = deny'), which says nothing of it. EMQX's own counters of calls are
%% looked at; where there were none, a call is made.
-module(tightbeam_watch).

-behaviour(gen_server).

-export([start_link/0, denied/2, status/0, clear/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([cause/0]).

-type cause() :: none | disabled | unloaded | unanswered | denied.

-define(ALARM, tightbeam_no_hook_provider).
-define(DENIALS, {?MODULE, denials}).
%% A look is 3 s after the last, a call of ours takes 5 s at most (ExHook's default), and its failure is seen at the end
%% of it: 11 s at most from the death of the service to the alarm.
-define(CHECK, 3000).
%% An alarm for a denial ends when nothing had to be denied for this long.
-define(QUIET, 30000).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc The guard has denied something. One message for the first; the rest only counts, so that a storm of clients
%% costs nothing.
-spec denied(connect | operation, map()) -> ok.
denied(What, Client) ->
    atomics:add_get(persistent_term:get(?DENIALS), 1, 1) =:= 1 andalso gen_server:cast(?MODULE, {denied, What, Client}),
    ok.

-spec status() -> cause().
status() ->
    gen_server:call(?MODULE, status).

%% @doc Ends the alarm, when the plugin stops.
-spec clear() -> ok.
clear() ->
    gen_server:call(?MODULE, clear).

init([]) ->
    persistent_term:put(?DENIALS, atomics:new(1, [])),
    %% What an earlier process raised, this one ends.
    _ = (catch emqx_alarm:deactivate(?ALARM)),
    self() ! check,
    {ok, #{cause => none, seen => none, asking => false, last_denial => undefined}}.

handle_call(status, _From, #{cause := Cause} = State) ->
    {reply, Cause, State};
handle_call(clear, _From, State) ->
    {reply, ok, alarm(none, #{}, State)};
handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast({denied, What, Client}, #{cause := none} = State) ->
    {noreply, alarm(denied, #{denied => What, client => Client}, State#{last_denial := now_ms()})};
handle_cast({denied, _What, _Client}, State) ->
    {noreply, State#{last_denial := now_ms()}};
handle_cast(asked, State) ->
    {noreply, look(State#{asking := false})};
handle_cast(_, State) ->
    {noreply, State}.

handle_info(check, State0) ->
    _ = erlang:send_after(?CHECK, self(), check),
    State = look(count_denials(State0)),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

count_denials(State) ->
    case atomics:exchange(persistent_term:get(?DENIALS), 1, 0) of
        0 -> State;
        _ -> State#{last_denial := now_ms()}
    end.

look(State) ->
    judge(tightbeam_provider:state(), State).

judge({running, _, _} = Now, #{seen := Now} = State) ->
    ask(State);
judge({running, _, Failed} = Now, #{seen := {running, _, Before}} = State) when Failed > Before ->
    case answered(Now, State) of
        true -> calm(State#{seen := Now});
        false -> alarm(unanswered, #{}, State#{seen := Now})
    end;
judge({running, _, _} = Now, #{seen := {running, _, _}} = State) ->
    calm(State#{seen := Now});
judge({running, _, _} = Now, State) ->
    ask(State#{seen := Now});
judge(absent, State) ->
    calm(State#{seen := absent});
judge(Cause, State) ->
    alarm(Cause, #{}, State#{seen := Cause}).

answered({running, Succeed, _}, #{seen := {running, Before, _}}) ->
    Succeed > Before.

%% No call since the last look. The answer is waited for by another process.
ask(#{asking := false} = State) ->
    Watch = self(),
    _ = spawn(fun() ->
        ok = tightbeam_provider:ask(),
        gen_server:cast(Watch, asked)
    end),
    State#{asking := true};
ask(State) ->
    State.

%% Calls are answered, or there is nobody to be asked.
calm(#{last_denial := Last} = State) when is_integer(Last) ->
    case now_ms() - Last > ?QUIET of
        true -> alarm(none, #{}, State#{last_denial := undefined});
        false -> alarm(denied, #{}, State)
    end;
calm(State) ->
    alarm(none, #{}, State).

alarm(Cause, _Details, #{cause := Cause} = State) ->
    State;
alarm(none, _Details, State) ->
    _ = (catch emqx_alarm:deactivate(?ALARM)),
    State#{cause := none};
alarm(Cause, Details, State) ->
    Server = tightbeam_config:get(exhook_server),
    logger:error(Details#{msg => "tightbeam_no_hook_provider", cause => Cause, server => Server}),
    _ = (catch emqx_alarm:deactivate(?ALARM)),
    _ = (catch emqx_alarm:activate(?ALARM, Details#{cause => Cause, server => Server}, text(Cause))),
    State#{cause := Cause}.

text(disabled) -> <<"The ExHook server of Tightbeam is disabled: the guard denies clients and operations, unless it is off">>;
text(unloaded) -> <<"EMQX has not reached the ExHook server of Tightbeam: nobody decides on clients and operations">>;
text(unanswered) -> <<"The ExHook server of Tightbeam does not answer: EMQX refuses clients and operations, or lets them go on undecided">>;
text(denied) -> <<"The ExHook provider did not decide: clients and operations were denied">>.

now_ms() ->
    erlang:monotonic_time(millisecond).
