-module(tightbeam_json_tests).
-include_lib("eunit/include/eunit.hrl").

string(Text) -> iolist_to_binary(tightbeam_json:string(Text)).

strings_test_() ->
    [
        ?_assertEqual(<<$", Written/binary, $">>, string(Text))
     || {Text, Written} <- [
            {<<>>, <<>>},
            {<<"$dm/lock-17/a b/~">>, <<"$dm/lock-17/a b/~">>},
            {<<"a\"b\\c">>, <<"a\\\"b\\\\c">>},
            {<<"\\\"">>, <<"\\\\\\\"">>},
            {<<0, $\b, $\t, $\n, $\r, 31, " ">>, <<"\\u0000\\u0008\\u0009\\u000a\\u000d\\u001f ">>},
            {<<127>>, <<127>>},
            %% Two, three and four bytes, the last before and the first behind the surrogates.
            {<<"ü€😀"/utf8, 16#D7FF/utf8, 16#E000/utf8>>, <<"ü€😀"/utf8, 16#D7FF/utf8, 16#E000/utf8>>},
            {<<"ü\""/utf8>>, <<"ü\\\""/utf8>>}
        ]
    ].

what_is_no_utf8_is_replaced_test_() ->
    R = <<16#FFFD/utf8>>,
    [
        ?_assertEqual(<<$", Written/binary, $">>, string(Text))
     || {Text, Written} <- [
            {<<"a", 255, "b">>, <<"a", R/binary, "b">>},
            %% A character that is cut off, an overlong slash, a surrogate, and more than U+10FFFF.
            {<<16#C3>>, R},
            {<<16#E2, 16#82>>, <<R/binary, R/binary>>},
            {<<16#C0, 16#AF>>, <<R/binary, R/binary>>},
            {<<16#ED, 16#A0, 16#80>>, <<R/binary, R/binary, R/binary>>},
            {<<16#F4, 16#90, 16#80, 16#80>>, <<R/binary, R/binary, R/binary, R/binary>>}
        ]
    ].

whatever_the_bytes_the_text_is_utf8_without_what_ends_a_string_test() ->
    lists:foreach(
        fun(_) ->
            Written = string(rand:bytes(rand:uniform(60))),
            ?assert(is_list(unicode:characters_to_list(Written))),
            Inside = binary:part(Written, 1, byte_size(Written) - 2),
            ?assertEqual(nomatch, re:run(Inside, "[\\x00-\\x1f]")),
            ?assertEqual(match, re:run(Inside, "^(?:[^\"\\\\]|\\\\[\"\\\\]|\\\\u00[01][0-9a-f])*$", [unicode, {capture, none}]))
        end,
        lists:seq(1, 2000)
    ).
