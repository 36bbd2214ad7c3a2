%% @doc The will of a CONNECT, which EMQX shows nobody before it has let the client in. Where the policies make a
%% difference by it, the service says so (`allow_unless_will'), and the client is connected on approval: before it does
%% anything that is authorized, the publishing of its will among that, and at once in any case, the service is asked about
%% the will. If the answer is no, the connection is closed (0x87) and nothing of it is authorized any more.
-module(tightbeam_will).

-export([decided/0, undecided/0, on_connected/2, on_authorize/4, judge/3]).

-define(STATE, '$tightbeam_will').
-define(NOT_AUTHORIZED, 16#87).
%% EMQX shows the channel of a connection a moment after it is connected.
-define(LOOK_AGAIN, 20).
-define(LOOKS, 250).

-spec decided() -> ok.
decided() ->
    _ = erase(?STATE),
    ok.

-spec undecided() -> ok.
undecided() ->
    _ = put(?STATE, undecided),
    ok.

%% @doc The client may never do anything: another process asks.
-spec on_connected(map(), map()) -> ok.
on_connected(#{clientid := ClientId}, _ConnInfo) ->
    case get(?STATE) of
        undefined ->
            ok;
        _ ->
            _ = spawn(?MODULE, judge, [ClientId, self(), ?LOOKS]),
            ok
    end.

%% @doc For {@link on_connected/2}.
-spec judge(binary(), pid(), non_neg_integer()) -> ok.
judge(ClientId, Channel, Looks) ->
    case {emqx_cm:do_get_chan_info(ClientId, Channel), is_process_alive(Channel)} of
        {_, false} ->
            ok;
        {#{conn_state := connected} = Info, true} ->
            is_allowed(Info) orelse close(Channel),
            ok;
        {_, true} when Looks > 0 ->
            timer:sleep(?LOOK_AGAIN),
            judge(ClientId, Channel, Looks - 1);
        {_, true} ->
            close(Channel)
    end.

%% @doc In the connection's process, before everybody else's authorization.
-spec on_authorize(map(), term(), term(), term()) -> ok | {stop, map()}.
on_authorize(ClientInfo, _Action, _Topic, _Default) ->
    case get(?STATE) of
        undefined -> ok;
        undecided -> decide(ClientInfo);
        refused -> deny()
    end.

decide(#{clientid := ClientId}) ->
    case is_allowed(emqx_cm:do_get_chan_info(ClientId, self())) of
        true ->
            decided();
        false ->
            _ = put(?STATE, refused),
            close(self()),
            deny()
    end.

deny() ->
    {stop, #{result => deny, from => ?MODULE}}.

close(Channel) ->
    _ = Channel ! {disconnect, ?NOT_AUTHORIZED, not_authorized, #{}},
    ok.

is_allowed(#{clientinfo := ClientInfo, conninfo := _, will_msg := Will} = Info) ->
    tightbeam_question:about_will(ClientInfo, tightbeam_facts:of_channel(Info), will(Will)) =:= allow;
is_allowed(_) ->
    false.

will(undefined) -> none;
will(#{topic := Topic} = Will) -> {Topic, maps:get(retain, maps:get(flags, Will, #{}), false)}.
