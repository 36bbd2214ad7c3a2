%% @doc An event as JSON: its type, the broker's clock, whose it is, and what the type has of its own. The node is that of the
%% call.
-module(tightbeam_tap_event).

-export([encode/1, missed/2, counted/1]).

-spec encode(tightbeam_tap:event()) -> iodata().
encode({Type, At, Who, Facts}) ->
    [
        "{\"type\":\"", name(Type), "\",\"at\":", integer_to_binary(At), $,, tightbeam_tap_who:json(Who),
        facts(Type, Who, Facts), $}
    ].

%% @doc So many events of a type were lost.
-spec missed(tightbeam_tap:type(), pos_integer()) -> iodata().
missed(Type, Count) ->
    object(<<"Missed">>, [{<<"of">>, name(Type)}, {<<"count">>, Count}]).

-spec counted(tightbeam_tap_counts:counted()) -> iodata().
counted({What, Labels, Count}) ->
    object(<<"Count">>, [{<<"what">>, What}, {<<"count">>, Count} | Labels]).

object(Type, Members) ->
    ["{\"type\":\"", Type, "\",\"at\":", integer_to_binary(erlang:system_time(millisecond)), members(Members), $}].

name(connect) -> <<"Connect">>;
name(disconnect) -> <<"Disconnect">>;
name(subscribe) -> <<"Subscribe">>;
name(unsubscribe) -> <<"Unsubscribe">>;
name(publish_in) -> <<"Publish-In">>;
name(publish_out) -> <<"Publish-Out">>;
name(publish_ack) -> <<"Publish-Ack">>;
name(dropped) -> <<"Dropped">>;
name(denied) -> <<"Denied">>;
name(session) -> <<"Session">>.

facts(connect, Who, {accepted, Channel, Connection}) ->
    [
        members([{<<"outcome">>, <<"accepted">>} | connection(Connection)]),
        %% The will is known to EMQX's table of channels, a moment after the client is connected.
        case emqx_cm:do_get_chan_info(tightbeam_tap_who:id(Who), Channel) of
            #{will_msg := #{topic := Topic}} -> members([{<<"will">>, true}, {<<"willTopic">>, Topic}]);
            #{will_msg := undefined} -> members([{<<"will">>, false}]);
            _ -> []
        end
    ];
facts(connect, _Who, {refused, Reason, By, Connection}) ->
    members([{<<"outcome">>, Reason}, {<<"by">>, By} | connection(Connection)]);
facts(disconnect, _Who, {Reason, Lived}) ->
    members([{<<"reason">>, printed(Reason)}, {<<"durationMs">>, Lived}]);
facts(subscribe, _Who, {Filter, SubOpts}) ->
    members([
        {<<"topic">>, Filter}, {<<"qos">>, maps:get(qos, SubOpts, undefined)}, {<<"rh">>, maps:get(rh, SubOpts, undefined)},
        {<<"rap">>, maps:get(rap, SubOpts, undefined)}, {<<"nl">>, maps:get(nl, SubOpts, undefined)},
        {<<"subid">>, maps:get(subid, SubOpts, undefined)}, {<<"isNew">>, maps:get(is_new, SubOpts, undefined)}
    ]);
facts(unsubscribe, _Who, Filter) ->
    members([{<<"topic">>, Filter}]);
facts(denied, _Who, {Action, Topic, QoS, Retain, Source}) ->
    members([{<<"action">>, Action}, {<<"topic">>, Topic}, {<<"qos">>, QoS}, {<<"retain">>, Retain}, {<<"by">>, Source}]);
facts(session, _Who, What) ->
    members([{<<"outcome">>, What}]);
%% By hand: this is done for every message, twice and more.
facts(Type, _Who, {Topic, QoS, Retain, Bytes, Trace, Fact}) ->
    [
        ",\"topic\":", tightbeam_json:string(Topic), ",\"qos\":", $0 + QoS, retain(Retain), ",\"payloadBytes\":", integer_to_binary(Bytes),
        trace(Trace), fact(Type, Fact)
    ].

retain(true) -> <<",\"retain\":true">>;
retain(_) -> [].

trace(<<_:16/binary>> = TraceId) -> [",\"traceId\":\"", tightbeam_json:hex(TraceId), $"];
trace(Traceparent) -> [",\"traceparent\":\"", Traceparent, $"].

fact(_Type, none) -> [];
fact(publish_ack, Code) -> [",\"code\":", integer_to_binary(Code)];
fact(dropped, Reason) -> member({<<"reason">>, Reason}).

connection(#{} = Facts) ->
    [
        {<<"cleanStart">>, maps:get(clean_start, Facts, undefined)},
        {<<"expiryMs">>, maps:get(expiry_interval, Facts, undefined)},
        {<<"keepAlive">>, maps:get(keepalive, Facts, undefined)},
        {<<"socket">>, maps:get(socktype, Facts, undefined)}
    ].

members(Members) ->
    [member(Member) || {_, Value} = Member <- Members, Value =/= undefined].

member({Name, Value}) ->
    [$,, tightbeam_json:member(Name, Value)].

%% As ExHook prints it, so that the service reads one form.
printed(Reason) when is_atom(Reason) -> Reason;
printed(Reason) when is_binary(Reason) -> Reason;
printed(Reason) -> iolist_to_binary(io_lib:format("~0tp", [Reason], [{chars_limit, 200}])).
