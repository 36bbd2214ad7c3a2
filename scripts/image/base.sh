#!/usr/bin/env bash
# Makes a base image from what this machine has installed (Node, npm, a shell), where none can be pulled.
# usage: scripts/image/base.sh NAME
set -euo pipefail
name=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{app,dev,etc/ssl,home/node,proc,sys,usr/bin,usr/lib/node_modules}
mkdir -m 1777 "$root/tmp"
# As on a Debian of today: programs and libraries are below /usr only.
for folder in bin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
mkdir -p "$root/usr/lib64"

program() { # NAME-THERE PATH-HERE
  install -D "$2" "$root/usr/bin/$1"
  # Every library by the path under which the loader looks for it.
  ldd "$2" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
    install -D "$(readlink -f "$library")" "$root/usr/${library#/usr/}"
  done
}
program node "$(node -p process.execPath)"
program sh "$(readlink -f /bin/sh)"
program env /usr/bin/env
# A part of the C library that Node does not ask for, and the builder of the console's page does.
libraries=$(dirname "$(ldd "$(node -p process.execPath)" | grep -oE '/[^ ]+/libc\.so\.6')")
install -D "$(readlink -f "$libraries/librt.so.1")" "$root/usr/${libraries#/usr/}/librt.so.1"
cp -R "$(dirname "$(readlink -f "$(command -v npm)")")/.." "$root/usr/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
cp -RL /etc/ssl/certs "$root/etc/ssl/certs"
printf 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\nnode:x:1000:\n' > "$root/etc/group"

tar -C "$root" --numeric-owner --owner=0 --group=0 -c . | podman import --quiet - "$name"
