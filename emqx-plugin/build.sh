#!/bin/sh
# Builds build/tightbeam-VERSION.tar.gz, the package that EMQX's plugin page takes: one for EMQX 5.1 to 6.3, which run on
# OTP 25 to 28. Needs erlc of OTP 25 (Debian 12: erlang-base erlang-dev): an older OTP does not load what a newer
# compiler makes, so a newer one makes a package for itself and later alone. The same source gives the same bytes.
set -eu
cd "$(dirname "$0")"

vsn=$(sed -n 's/.*{vsn, "\([^"]*\)"}.*/\1/p' src/tightbeam.app.src)
grep -q "\"tightbeam-$vsn\"" src/tightbeam_config.erl || {
  echo "src/tightbeam_config.erl names another version than $vsn" >&2
  exit 1
}
otp=$(erl -noshell -eval 'io:put_chars(erlang:system_info(otp_release)), halt().')
name=tightbeam-$vsn
rm -rf build/stage
stage=build/stage/$name
mkdir -p "$stage/$name/ebin" "$stage/$name/priv"

# Without debug information and with +deterministic the modules depend on nothing but the source. No +r24, nor an older
# compiler: OTP 28 has lost the instructions that these make binaries with.
erlc -Wall -Werror +deterministic +no_debug_info -o "$stage/$name/ebin" src/*.erl
escript test/tools/check_beams.escript "$stage/$name/ebin"
modules=$(cd src && ls tightbeam*.erl | LC_ALL=C sort | sed 's/\.erl$//' | paste -sd, -)
sed "s/{modules, \[\]}/{modules, [$modules]}/" src/tightbeam.app.src > "$stage/$name/ebin/tightbeam.app"
cp priv/config.hocon priv/config_schema.avsc priv/config_i18n.json "$stage/$name/priv/"
cp README.md "$stage/README.md"
cat > "$stage/release.json" <<JSON
{
  "authors": ["Tightbeam"],
  "built_on_otp_release": "$otp",
  "builder": {"contact": "", "name": "Tightbeam", "website": ""},
  "compatibility": {"emqx": "~> 5.1 or ~> 6.0"},
  "date": "2026-01-01",
  "description": "Direct messages to one device by its MQTT client ID",
  "functionality": ["Direct messages"],
  "git_ref": "v$vsn",
  "metadata_vsn": "0.2.0",
  "name": "tightbeam",
  "rel_apps": ["$name"],
  "rel_vsn": "$vsn",
  "repo": "",
  "with_config_schema": true
}
JSON

mkdir -p build
find "$stage" -type d -exec chmod 755 {} +
find "$stage" -type f -exec chmod 644 {} +
# Files only, sorted, without the builder's clock, name or compressor header.
(cd build/stage && find "$name" -type f | LC_ALL=C sort |
  tar --format=ustar --mtime='2026-01-01 00:00:00Z' --owner=0 --group=0 --numeric-owner -cf - -T -) |
  gzip -n -9 > "build/$name.tar.gz"
rm -rf build/stage
echo "emqx-plugin/build/$name.tar.gz"
