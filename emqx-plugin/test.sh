#!/bin/sh
# Runs the plugin's EUnit tests against stand-ins of the few EMQX functions it uses.
# Needs Erlang/OTP 25 (Debian: erlang-base erlang-dev erlang-eunit).
set -eu
cd "$(dirname "$0")"
out=build/test
rm -rf "$out"
mkdir -p "$out"
erlc -Wall -Werror +debug_info -o "$out" src/*.erl test/stand_ins/*.erl test/*.erl
modules=$(cd test && ls *_tests.erl | sed 's/\.erl$//' | paste -sd, -)
sed 's/{env, \[\]}/{env, [{guard, off}]}/' src/tightbeam.app.src > "$out/tightbeam.app"
erl -noshell -pa "$out" -kernel logger_level none -eval "
  case eunit:test([$modules], []) of ok -> halt(0); _ -> halt(1) end."
