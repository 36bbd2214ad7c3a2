%% @doc What the service wants to be told of: its own configuration, which this node asks it for in a call that goes straight
%% to the ExHook connection (tightbeam_provider), so that nobody but the service can answer. It is text in lines, with
%% tabs between the fields:
%%
%%     tightbeam-tap  1  VERSION
%%     sample  BOUND                     of 2^32: a trace is told where its last 32 bits are less
%%     clients  PATTERN ...              client IDs, `*' stands for any characters; without the line, all
%%     event  TYPE  TOPIC-FILTER ...     without a filter, whatever the topic
%%     presence                          lifecycle events are published (tightbeam_presence)
%%     reason  NAME  AWS-NAME            what an end of a connection is called in them, by EMQX's word
%%     group  NAME  TOPIC-FILTER ...     for the counters: a topic belongs to the first group that has it
%%
%% Lines that are not known are passed over.
-module(tightbeam_tap_wanted).

-export([get/0, version/0, presence/0, set/1, clear/0, wants/3, wants/4, is_sampled/2, group/2, groups/1, counters/1, parse/1]).

-export_type([wanted/0]).

-record(wanted, {
    version :: binary(),
    sample :: non_neg_integer(),
    clients :: all | [[binary()]],
    %% By the number of the type, and last `no_subscribers'.
    events :: tuple(),
    presence = false :: boolean(),
    reasons = #{} :: #{binary() => binary()},
    groups :: [{binary(), [tightbeam_tap_filter:filter()]}],
    counters :: term()
}).

-opaque wanted() :: #wanted{}.

-define(KEY, ?MODULE).
-define(FORMAT, <<"1">>).
%% More groups than a dashboard can show would be paid for at each message.
-define(MAX_GROUPS, 32).

-spec get() -> off | wanted().
get() ->
    persistent_term:get(?KEY, off).

-spec version() -> binary().
version() ->
    case ?MODULE:get() of
        off -> <<>>;
        #wanted{version = Version} -> Version
    end.

%% @doc Whether lifecycle events are published, and what they call the ends of connections.
-spec presence() -> off | #{binary() => binary()}.
presence() ->
    case ?MODULE:get() of
        #wanted{presence = true, reasons = Reasons} -> Reasons;
        _ -> off
    end.

%% @doc Takes what the service answered. The same again changes nothing: a persistent term that changes costs every process.
-spec set(binary()) -> ok | error.
set(Text) ->
    case parse(Text) of
        {ok, #wanted{version = Version} = Wanted} ->
            Version =:= version() orelse
                persistent_term:put(?KEY, Wanted#wanted{counters = tightbeam_tap_counts:create(length(Wanted#wanted.groups))}),
            ok;
        error ->
            error
    end.

-spec clear() -> ok.
clear() ->
    _ = persistent_term:erase(?KEY),
    ok.

%% @doc An event of this type, of this client?
-spec wants(tightbeam_tap:type(), tightbeam_tap_who:who(), wanted()) -> boolean().
wants(_Type, service, _Wanted) ->
    false;
wants(Type, Who, #wanted{events = Events, clients = Clients}) ->
    element(tightbeam_tap:number(Type), Events) =/= off andalso is_client(tightbeam_tap_who:id(Who), Clients).

%% @doc And on this topic?
-spec wants(tightbeam_tap:type() | no_subscribers, tightbeam_tap_who:who(), binary(), wanted()) -> boolean().
wants(_Type, service, _Topic, _Wanted) ->
    false;
wants(Type, Who, Topic, #wanted{events = Events, clients = Clients}) ->
    case element(number(Type), Events) of
        off -> false;
        all -> is_client(tightbeam_tap_who:id(Who), Clients);
        Filters -> tightbeam_tap_filter:matches_any(Topic, Filters) andalso is_client(tightbeam_tap_who:id(Who), Clients)
    end.

number(no_subscribers) -> length(tightbeam_tap:types()) + 1;
number(Type) -> tightbeam_tap:number(Type).

is_client(_ClientId, all) -> true;
is_client(ClientId, Patterns) -> lists:any(fun(Pattern) -> is_like(ClientId, Pattern) end, Patterns).

%% The pieces between the stars, in order: the first at the start, the last at the end.
is_like(Text, [Only]) ->
    Text =:= Only;
is_like(Text, [First | Rest]) ->
    Size = byte_size(First),
    case Text of
        <<First:Size/binary, More/binary>> -> is_like_after(More, Rest);
        _ -> false
    end.

is_like_after(Text, [Last]) ->
    Size = byte_size(Text) - byte_size(Last),
    Size >= 0 andalso binary:part(Text, Size, byte_size(Last)) =:= Last;
is_like_after(Text, [<<>> | Rest]) ->
    is_like_after(Text, Rest);
is_like_after(Text, [Piece | Rest]) ->
    case binary:match(Text, Piece) of
        {At, Length} -> is_like_after(binary:part(Text, At + Length, byte_size(Text) - At - Length), Rest);
        nomatch -> false
    end.

%% @doc By the last 32 bits of the trace ID, as the service samples its log: `traceparent' or the 16 bytes of the ID.
-spec is_sampled(binary(), wanted()) -> boolean().
is_sampled(_Trace, #wanted{sample = 16#100000000}) -> true;
is_sampled(<<_:12/binary, Last:32>>, #wanted{sample = Bound}) -> Last < Bound;
is_sampled(<<_:27/binary, Last:8/binary, _/binary>>, #wanted{sample = Bound}) -> binary_to_integer(Last, 16) < Bound.

%% @doc The number of the group that a topic belongs to; 0: of none.
-spec group(binary(), wanted()) -> non_neg_integer().
group(_Topic, #wanted{groups = []}) -> 0;
group(Topic, #wanted{groups = Groups}) -> group(Topic, Groups, 1).

group(_Topic, [], _N) ->
    0;
group(Topic, [{_Name, Filters} | Groups], N) ->
    case tightbeam_tap_filter:matches_any(Topic, Filters) of
        true -> N;
        false -> group(Topic, Groups, N + 1)
    end.

-spec groups(wanted()) -> [binary()].
groups(#wanted{groups = Groups}) -> [Name || {Name, _} <- Groups].

-spec counters(wanted()) -> term().
counters(#wanted{counters = Counters}) -> Counters.

-spec parse(binary()) -> {ok, wanted()} | error.
parse(Text) ->
    case [binary:split(Line, <<"\t">>, [global]) || Line <- binary:split(Text, <<"\n">>, [global]), Line =/= <<>>] of
        [[<<"tightbeam-tap">>, ?FORMAT, Version] | Lines] ->
            Off = erlang:make_tuple(length(tightbeam_tap:types()) + 1, off),
            Nothing = #wanted{version = Version, sample = 16#100000000, clients = all, events = Off, groups = []},
            try
                Wanted = lists:foldl(fun line/2, Nothing, Lines),
                {ok, Wanted#wanted{groups = lists:sublist(lists:reverse(Wanted#wanted.groups), ?MAX_GROUPS)}}
            catch
                error:_ -> error
            end;
        _ ->
            error
    end.

line([<<"sample">>, Bound], Wanted) ->
    Wanted#wanted{sample = min(16#100000000, max(0, binary_to_integer(Bound)))};
line([<<"clients">> | Patterns], Wanted) ->
    case lists:member(<<"*">>, Patterns) of
        true -> Wanted#wanted{clients = all};
        false -> Wanted#wanted{clients = [binary:split(Pattern, <<"*">>, [global]) || Pattern <- Patterns]}
    end;
line([<<"event">>, Name | Filters], #wanted{events = Events} = Wanted) ->
    case [number(Type) || Type <- [no_subscribers | tightbeam_tap:types()], atom_to_binary(Type) =:= Name] of
        [Number] -> Wanted#wanted{events = setelement(Number, Events, filters(Filters))};
        [] -> Wanted
    end;
line([<<"presence">>], Wanted) ->
    Wanted#wanted{presence = true};
line([<<"reason">>, Name, AwsName], #wanted{reasons = Reasons} = Wanted) ->
    Wanted#wanted{reasons = Reasons#{Name => AwsName}};
line([<<"group">>, Name | Filters], #wanted{groups = Groups} = Wanted) ->
    Wanted#wanted{groups = [{Name, [tightbeam_tap_filter:compile(Filter) || Filter <- Filters]} | Groups]};
line(_, Wanted) ->
    Wanted.

filters([]) -> all;
filters(Filters) -> [tightbeam_tap_filter:compile(Filter) || Filter <- Filters].
