%% @doc Asks the service every few seconds what it wants to be told of (tightbeam_tap_wanted), and tells it what was counted and
%% what was lost since the last time. A service that does not answer leaves things as they are: it may be back in a
%% moment, and what cannot be told in between is lost and counted.
-module(tightbeam_tap_keeper).

-behaviour(gen_server).

-export([start_link/0, now/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(INTERVAL, 3000).
%% While there is no connection to the service: when EMQX makes one, it first asks which hooks to call, and the service
%% waits a moment for this question, to leave out those that the tap makes needless.
-define(EAGER, 250).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Asks and tells at once, and returns when that is done.
-spec now() -> ok.
now() ->
    gen_server:call(?MODULE, now, 20000).

%% counted: what was told already, by counters; missed: likewise, by type.
init([]) ->
    self() ! tick,
    {ok, #{counted => {<<>>, []}, missed => []}}.

handle_call(now, _From, State) ->
    {_, New} = turn(State),
    {reply, ok, New};
handle_call(_Request, _From, State) ->
    {reply, ignored, State}.

handle_cast(_, State) ->
    {noreply, State}.

handle_info(tick, State0) ->
    {Asked, State} = turn(State0),
    After =
        case Asked of
            unanswered -> ?EAGER;
            answered -> ?INTERVAL
        end,
    _ = erlang:send_after(After, self(), tick),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

turn(State0) ->
    %% Before the configuration changes, and the counters with it.
    State = tell(State0),
    {ask(), State}.

ask() ->
    {ok, Vsn} = application:get_key(tightbeam, vsn),
    Question = [<<"tightbeam-tap">>, <<"\t1\t">>, Vsn, $\t, tightbeam_tap_wanted:version()],
    case tightbeam_provider:ask_for(iolist_to_binary(Question)) of
        {ok, Text} ->
            tightbeam_tap_wanted:set(Text) =:= ok orelse
                logger:error(#{msg => "tightbeam_tap_configuration_unreadable", bytes => byte_size(Text)}),
            answered;
        %% It knows of no tap, or wants nothing.
        nothing ->
            ok = tightbeam_tap_wanted:clear(),
            answered;
        error ->
            unanswered
    end.

tell(#{counted := Counted, missed := Missed} = State) ->
    CountedNow = counted(tightbeam_tap_wanted:get()),
    MissedNow = tightbeam_tap_counts:missed(),
    Entries =
        [tightbeam_tap_event:counted(More) || More <- added(CountedNow, Counted)] ++
            [tightbeam_tap_event:missed(Type, Count) || {Type, Count} <- more(MissedNow, Missed)],
    case Entries =:= [] orelse tightbeam_provider:tell([$[, lists:join($,, Entries), $]], keeper) of
        error -> State;
        _ -> State#{counted := CountedNow, missed := MissedNow}
    end.

counted(off) -> {<<>>, []};
counted(Wanted) -> {tightbeam_tap_wanted:version(), tightbeam_tap_counts:read(Wanted)}.

%% Another configuration has counters of its own.
added({Version, Now}, {Version, Before}) ->
    Told = maps:from_list([{{What, Labels}, Count} || {What, Labels, Count} <- Before]),
    [
        {What, Labels, Count - maps:get({What, Labels}, Told, 0)}
     || {What, Labels, Count} <- Now, Count > maps:get({What, Labels}, Told, 0)
    ];
added({_, Now}, _) ->
    Now.

more(Now, Before) ->
    Told = maps:from_list(Before),
    [{Type, Count - maps:get(Type, Told, 0)} || {Type, Count} <- Now, Count > maps:get(Type, Told, 0)].
