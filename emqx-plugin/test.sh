#!/bin/sh
# Runs the plugin's EUnit tests against stand-ins of the EMQX functions that it uses, once for each version of EMQX in
# test/emqx_exports.eterm (or for those given as arguments), and checks the compiled modules.
# Needs Erlang/OTP 25 or later (Debian: erlang-base erlang-dev erlang-eunit).
set -eu
cd "$(dirname "$0")"
out=build/test
rm -rf "$out"
mkdir -p "$out/ebin" "$out/checked"
erlc -Wall -Werror +debug_info -o "$out/ebin" src/*.erl test/*.erl
erlc -Wall -Werror -o "$out/checked" src/*.erl
escript test/tools/check_beams.escript "$out/checked"
sed 's/{env, \[\]}/{env, [{guard, off}]}/' src/tightbeam.app.src > "$out/ebin/tightbeam.app"
modules=$(cd test && ls *_tests.erl | sed 's/\.erl$//' | paste -sd, -)
export out modules

[ $# -gt 0 ] || set -- $(escript test/tools/stand_ins.escript)
# One VM a version. They mostly wait, so several run at once.
printf '%s\n' "$@" | xargs -P 4 -I '{}' sh -c '
  mkdir -p "$out/{}"
  escript test/tools/stand_ins.escript "{}" "$out/{}" &&
  erl -noshell -pa "$out/ebin" "$out/{}" -kernel logger_level none -eval "
    case eunit:test([$modules], []) of ok -> halt(0); _ -> halt(1) end." > "$out/{}/log" 2>&1 || {
      cat "$out/{}/log"
      echo "EMQX {}: failed"
      exit 1
    }
  echo "EMQX {}: $(tail -1 "$out/{}/log" | sed "s/^ *//")"'
