-module(tightbeam_outcome_tests).
-include_lib("eunit/include/eunit.hrl").

every_code_is_one_that_mqtt_5_allows_in_a_puback_test_() ->
    Allowed = [16#00, 16#10, 16#80, 16#83, 16#87, 16#90, 16#91, 16#97, 16#99],
    [?_assert(lists:member(Code, Allowed)) || {_, Code, _} <- tightbeam_outcome:all()].

only_successes_are_below_0x80_test() ->
    ?assertEqual([delivered, dispatched, answered], [O || {O, Code, _} <- tightbeam_outcome:all(), Code < 16#80]).
