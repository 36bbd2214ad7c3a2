#!/usr/bin/env bash
# Builds the images of the Dockerfile with Podman, on a base image made here, and from packages that npm has fetched
# before (`npm ci`): nothing is pulled.
# usage: scripts/image/build.sh TARGET FOLDER      prints the ID of the image; FOLDER is what it is built from
set -euo pipefail
target=$1 context=$2
here=$(cd "$(dirname "$0")" && pwd)
export CONTAINERS_CONF=$here/containers.conf
base=localhost/tightbeam-base

npmrc=$(mktemp)
trap 'rm -f "$npmrc"' EXIT
echo 'offline=true' > "$npmrc"
podman build --quiet --format docker --pull-never --network none \
  --volume "$npmrc:/root/.npmrc:ro" --volume "$(npm config get cache):/root/.npm" \
  --build-arg "NODE_IMAGE=$base" --target "$target" "$context"
