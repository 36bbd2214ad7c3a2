#!/bin/sh
# Measures what an identity costs the plugin, message by message.
set -eu
cd "$(dirname "$0")/.."
out=build/bench
rm -rf "$out"
mkdir -p "$out/ebin" "$out/stand_ins"
erlc -o "$out/ebin" src/*.erl
cp src/tightbeam.app.src "$out/ebin/tightbeam.app"
escript test/tools/stand_ins.escript 5.8.9 "$out/stand_ins"
escript bench/identity.escript "$out/ebin" "$out/stand_ins"
