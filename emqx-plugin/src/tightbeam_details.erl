%% @doc What a PUBACK cannot carry, as JSON for the service: `$dm/outcome', on the sender's own connection, before the PUBACK.
-module(tightbeam_details).

-export([tell/3]).

%% @doc `nothing': the PUBACK says it all.
-spec tell(1..65535, tightbeam_outcome:outcome(), map()) -> nothing | binary().
tell(PacketId, Outcome, Details) ->
    case maps:size(Details) =:= 0 orelse Details =:= #{written => implied(Outcome)} of
        true -> nothing;
        false -> encode(PacketId, Outcome, Details)
    end.

%% What an outcome says of the message by itself. One that timed out may have been written.
implied(Outcome) when Outcome =:= delivered; Outcome =:= dispatched; Outcome =:= acknowledged_not_answered -> yes;
implied(Outcome) when Outcome =:= rejected; Outcome =:= answered; Outcome =:= response_too_large; Outcome =:= puback_timeout; Outcome =:= receiver_disconnected -> nothing;
implied(_NotWritten) -> no.

encode(PacketId, Outcome, Details) ->
    iolist_to_binary([
        "{\"packetId\":", integer_to_binary(PacketId),
        ",\"reason\":\"", tightbeam_outcome:reason(Outcome), $",
        [member(Field, Details) || Field <- [written, code, reason_string, trace_id, joined, earlier_written, connected, response]],
        $}
    ]).

member(Field, Details) ->
    case Details of
        #{Field := Value} -> [",\"", name(Field), "\":", json(Value)];
        _ -> []
    end.

name(reason_string) -> "reasonString";
name(trace_id) -> "traceId";
name(earlier_written) -> "earlierWritten";
name(Field) -> atom_to_list(Field).

json(Value) when is_boolean(Value) -> atom_to_list(Value);
json(Value) when is_atom(Value) -> [$", atom_to_list(Value), $"];
json(Value) when is_integer(Value) -> integer_to_binary(Value);
json(Value) when is_binary(Value) -> tightbeam_json:string(Value);
json(#{topic := Topic, payload := Payload, content_type := ContentType, user_properties := UserProps}) ->
    [
        "{\"topic\":", tightbeam_json:string(Topic),
        ",\"payload\":\"", base64:encode(Payload), $",
        [[",\"contentType\":", tightbeam_json:string(ContentType)] || ContentType =/= undefined],
        [[",\"userProperties\":[", lists:join($,, [pair(P) || P <- UserProps]), $]] || UserProps =/= []],
        $}
    ].

pair({Name, Value}) -> [$[, tightbeam_json:string(Name), $,, tightbeam_json:string(Value), $]].
