#!/bin/sh
# Measures what the death of a sender costs while 1,000, 10,000 and 100,000 messages wait.
set -eu
cd "$(dirname "$0")/.."
out=build/bench
rm -rf "$out"
mkdir -p "$out/ebin" "$out/stand_ins"
erlc -o "$out/ebin" src/*.erl
cp src/tightbeam.app.src "$out/ebin/tightbeam.app"
escript test/tools/stand_ins.escript 5.8.9 "$out/stand_ins"
escript bench/senders.escript "$out/ebin" "$out/stand_ins"
