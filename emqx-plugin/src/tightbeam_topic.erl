%% @doc The direct topic: `$dm/{percent-encoded client ID}/{topic}'.
-module(tightbeam_topic).

-export([kind/1, is_question/1, is_lifecycle/1, filter_name/1, is_reserved_filter/1, parse/1, check/1, watched/1]).

-export_type([direct/0, invalid/0]).

-type direct() :: #{clientid := binary(), topic := binary()}.
-type invalid() :: invalid_client_id | invalid_topic | reserved_topic.

-define(PREFIX, "$dm/").
-define(QUESTIONS, "$tightbeam/").
-define(LIFECYCLE, "$aws/events/").

%% @doc What is published there: direct messages and nothing else, lifecycle events and nothing else (tightbeam_presence), or
%% anything. A delayed publish (`$delayed/N/...') of either is one too: it would come back later with no sender.
-spec kind(binary()) -> direct | lifecycle | ordinary.
kind(<<?PREFIX, _/binary>>) ->
    direct;
kind(<<?LIFECYCLE, _/binary>>) ->
    lifecycle;
kind(<<"$delayed/", Rest/binary>>) ->
    case binary:split(Rest, <<"/">>) of
        [_, Topic] -> kind(Topic);
        _ -> ordinary
    end;
kind(_) ->
    ordinary.

%% @doc Is this a topic of lifecycle events, which no client can publish?
-spec is_lifecycle(binary()) -> boolean().
is_lifecycle(Topic) ->
    kind(Topic) =:= lifecycle.

%% @doc Is this a topic under which only the plugin asks the service (`tightbeam_question')?
-spec is_question(binary()) -> boolean().
is_question(<<?QUESTIONS, _/binary>>) ->
    true;
is_question(<<"$delayed/", Rest/binary>>) ->
    case binary:split(Rest, <<"/">>) of
        [_, Topic] -> is_question(Topic);
        _ -> false
    end;
is_question(_) ->
    false.

%% @doc A filter as the client wrote it: EMQX 5.4 and later hand over a shared subscription in parts.
-spec filter_name(term()) -> binary().
filter_name({share, Group, Filter}) -> <<"$share/", Group/binary, "/", Filter/binary>>;
filter_name({share, Group, Filter, _}) -> <<"$share/", Group/binary, "/", Filter/binary>>;
filter_name(Filter) when is_binary(Filter) -> Filter;
filter_name(_) -> <<>>.

%% @doc Would this topic filter subscribe to direct topics, or to those of questions? By MQTT 5 section 4.7.2 a filter that
%% begins with a wildcard never matches a topic that begins with `$', so only literal prefixes count,
%% also behind the prefixes of shared (section 4.8.2) and exclusive subscriptions.
-spec is_reserved_filter(binary() | tuple()) -> boolean().
is_reserved_filter({share, _Group, Filter}) -> is_reserved_filter(Filter);
is_reserved_filter(<<"$dm">>) -> true;
is_reserved_filter(<<?PREFIX, _/binary>>) -> true;
is_reserved_filter(<<"$tightbeam">>) -> true;
is_reserved_filter(<<?QUESTIONS, _/binary>>) -> true;
is_reserved_filter(<<"$queue/", Filter/binary>>) -> is_reserved_filter(Filter);
is_reserved_filter(<<"$exclusive/", Filter/binary>>) -> is_reserved_filter(Filter);
is_reserved_filter(<<"$share/", Rest/binary>>) ->
    case binary:split(Rest, <<"/">>) of
        [_Group, Filter] -> is_reserved_filter(Filter);
        _ -> false
    end;
is_reserved_filter(_) -> false.

%% @doc Takes a direct topic apart, within the limits of the configuration. The client ID is checked
%% first, the topic second.
-spec parse(binary()) -> {ok, direct()} | {error, invalid()}.
parse(<<?PREFIX, Rest/binary>>) ->
    case binary:split(Rest, <<"/">>) of
        [Encoded, Topic] -> parse(clientid(Encoded), Topic);
        [Encoded] -> parse(clientid(Encoded), <<>>)
    end;
parse(_Delayed) ->
    {error, invalid_topic}.

%% @doc The client of `$dm/{clientId}/$connected', on which the service asks to be told when it is connected.
-spec watched(binary()) -> {ok, binary()} | none.
watched(<<?PREFIX, Rest/binary>>) ->
    case binary:split(Rest, <<"/">>) of
        [Encoded, <<"$connected">>] ->
            case clientid(Encoded) of
                {ok, ClientId} -> {ok, ClientId};
                error -> none
            end;
        _ ->
            none
    end;
watched(_) ->
    none.

parse({ok, ClientId}, Topic) ->
    case topic(Topic) of
        ok -> {ok, #{clientid => ClientId, topic => Topic}};
        {error, Invalid} -> {error, Invalid}
    end;
parse(error, _Topic) ->
    {error, invalid_client_id}.

clientid(Encoded) ->
    case decode(Encoded) of
        {ok, <<"$", _/binary>>} -> error;
        {ok, ClientId} -> checked_clientid(ClientId, characters(ClientId, 0));
        error -> error
    end.

checked_clientid(ClientId, Length) when is_integer(Length), Length >= 1 ->
    case Length =< tightbeam_config:get(max_client_id_length) of
        true -> {ok, ClientId};
        false -> error
    end;
checked_clientid(_, _) ->
    error.

decode(Encoded) ->
    case binary:match(Encoded, <<"%">>) of
        nomatch -> {ok, Encoded};
        _ -> decode(Encoded, <<>>)
    end.

decode(<<$%, H, L, Rest/binary>>, Acc) ->
    case {hex(H), hex(L)} of
        {A, B} when is_integer(A), is_integer(B) -> decode(Rest, <<Acc/binary, (A * 16 + B)>>);
        _ -> error
    end;
decode(<<$%, _/binary>>, _Acc) -> error;
%% `#' and `+' cannot be in a topic name (section 4.7.1), `$' is safe here: no separate rule is needed.
decode(<<C, Rest/binary>>, Acc) -> decode(Rest, <<Acc/binary, C>>);
decode(<<>>, Acc) -> {ok, Acc}.

hex(C) when C >= $0, C =< $9 -> C - $0;
hex(C) when C >= $a, C =< $f -> C - $a + 10;
hex(C) when C >= $A, C =< $F -> C - $A + 10;
hex(_) -> error.

%% Characters, not bytes. Section 1.5.4: what is no UTF-8, and U+0000, is not allowed in a string.
characters(<<C/utf8, Rest/binary>>, N) when C > 0 -> characters(Rest, N + 1);
characters(<<>>, N) -> N;
characters(_, _) -> error.

%% @doc May messages to or from devices have this topic?
-spec check(binary()) -> ok | {error, invalid()}.
check(Topic) ->
    topic(Topic).

topic(<<"$", _/binary>>) ->
    {error, reserved_topic};
topic(Topic) ->
    #{max_topic_bytes := MaxBytes, max_topic_slashes := MaxSlashes} = tightbeam_config:all(),
    Size = byte_size(Topic),
    case Size >= 1 andalso Size =< MaxBytes andalso is_name(Topic, MaxSlashes) of
        true -> ok;
        false -> {error, invalid_topic}
    end.

is_name(<<$/, Rest/binary>>, Slashes) -> Slashes > 0 andalso is_name(Rest, Slashes - 1);
is_name(<<C/utf8, Rest/binary>>, Slashes) when C > 0, C =/= $+, C =/= $# -> is_name(Rest, Slashes);
is_name(Rest, _Slashes) -> Rest =:= <<>>.
