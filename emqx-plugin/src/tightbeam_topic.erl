%% @doc The direct topic: `$dm/{percent-encoded client ID}/{topic}'.
-module(tightbeam_topic).

-export([is_direct/1, is_reserved_filter/1, parse/1]).

-export_type([direct/0, invalid/0]).

-type direct() :: #{clientid := binary(), topic := binary()}.
-type invalid() :: invalid_client_id | invalid_topic | reserved_topic.

-define(PREFIX, "$dm/").

%% @doc Is this a topic name on which nothing but a direct message may be published? A delayed
%% publish (`$delayed/N/...') of one is: it would come back later with no sender to answer.
-spec is_direct(binary()) -> boolean().
is_direct(<<?PREFIX, _/binary>>) ->
    true;
is_direct(<<"$delayed/", Rest/binary>>) ->
    case binary:split(Rest, <<"/">>) of
        [_, Topic] -> is_direct(Topic);
        _ -> false
    end;
is_direct(_) ->
    false.

%% @doc Would this topic filter subscribe to direct topics? By MQTT 5 section 4.7.2 a filter that
%% begins with a wildcard never matches a topic that begins with `$', so only literal prefixes count,
%% also behind the prefixes of shared (section 4.8.2) and exclusive subscriptions.
-spec is_reserved_filter(binary() | tuple()) -> boolean().
is_reserved_filter({share, _Group, Filter}) -> is_reserved_filter(Filter);
is_reserved_filter(<<"$dm">>) -> true;
is_reserved_filter(<<?PREFIX, _/binary>>) -> true;
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

parse({ok, ClientId}, Topic) ->
    case topic(Topic) of
        ok -> {ok, #{clientid => ClientId, topic => Topic}};
        {error, Invalid} -> {error, Invalid}
    end;
parse(error, _Topic) ->
    {error, invalid_client_id}.

clientid(Encoded) ->
    case decode(Encoded, <<>>) of
        {ok, <<"$", _/binary>>} -> error;
        {ok, ClientId} -> checked_clientid(ClientId, string_length(ClientId));
        error -> error
    end.

checked_clientid(ClientId, Length) when is_integer(Length), Length >= 1 ->
    case Length =< tightbeam_config:get(max_client_id_length) andalso not has_null(ClientId) of
        true -> {ok, ClientId};
        false -> error
    end;
checked_clientid(_, _) ->
    error.

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

%% Characters, not bytes; not UTF-8 at all is not a client ID (section 1.5.4).
string_length(Bin) ->
    case unicode:characters_to_list(Bin) of
        Chars when is_list(Chars) -> length(Chars);
        _ -> error
    end.

topic(<<"$", _/binary>>) ->
    {error, reserved_topic};
topic(Topic) ->
    #{max_topic_bytes := MaxBytes, max_topic_slashes := MaxSlashes} = tightbeam_config:all(),
    Size = byte_size(Topic),
    Valid =
        Size >= 1 andalso Size =< MaxBytes andalso
            string_length(Topic) =/= error andalso
            not has_null(Topic) andalso
            binary:match(Topic, [<<"+">>, <<"#">>]) =:= nomatch andalso
            length(binary:matches(Topic, <<"/">>)) =< MaxSlashes,
    case Valid of
        true -> ok;
        false -> {error, invalid_topic}
    end.

%% Section 1.5.4: U+0000 is not allowed in a UTF-8 encoded string.
has_null(Bin) ->
    binary:match(Bin, <<0>>) =/= nomatch.
