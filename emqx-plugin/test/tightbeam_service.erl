%% The service at the other end of the calls that go straight to it: wants what the test says, and sends the test what it is
%% told; can be made slow, and to fail.
-module(tightbeam_service).

-export([reset/0, wants/1, told_to/1, delay/1, fails/1, call/3]).

reset() ->
    persistent_term:put(?MODULE, #{wanted => nothing, told_to => undefined, delay => 0, fails => false}).

wants(Text) -> set(wanted, Text).
told_to(Pid) -> set(told_to, Pid).
delay(Ms) -> set(delay, Ms).
fails(Fails) -> set(fails, Fails).

set(Key, Value) -> persistent_term:put(?MODULE, (state())#{Key => Value}).
state() -> persistent_term:get(?MODULE).

call(Function, #{message := #{topic := Topic, payload := Payload} = Message, meta := #{}} = Request, #{channel := <<"tightbeam">>, timeout := 5000, key_dispatch := _}) ->
    #{wanted := Wanted, told_to := Pid, delay := Delay, fails := Fails} = state(),
    timer:sleep(Delay),
    case {Fails, Function, Wanted} of
        {true, _, _} ->
            {error, {unavailable, <<>>}, #{}};
        {false, on_message_dropped, _} ->
            #{reason := <<"direct_message_outcomes">>} = Request,
            <<"$dm/outcomes">> = Topic,
            is_pid(Pid) andalso (Pid ! {told, Payload}),
            {ok, #{}, #{}};
        {false, on_message_publish, nothing} ->
            {ok, #{type => 'IGNORE'}, #{}};
        {false, on_message_publish, Text} ->
            <<"$dm/tap">> = Topic,
            is_pid(Pid) andalso (Pid ! {asked_for, Payload}),
            {ok, #{type => 'STOP_AND_RETURN', value => {message, Message#{payload => Text}}}, #{}}
    end.
