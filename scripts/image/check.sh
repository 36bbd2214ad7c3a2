#!/usr/bin/env bash
# Builds the images of the Dockerfile for real, and tries them as containers (Debian: podman runc). As root.
# usage: scripts/image/check.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONTAINERS_CONF=$PWD/scripts/image/containers.conf

echo 'base image, from the Node of this machine'
scripts/image/base.sh localhost/tightbeam-base
echo 'image for production'
TIGHTBEAM_IMAGE=$(scripts/image/build.sh production .)
echo 'image for development'
TIGHTBEAM_DEV_IMAGE=$(scripts/image/build.sh dev .)
export TIGHTBEAM_IMAGE TIGHTBEAM_DEV_IMAGE

echo 'both images as containers'
node --experimental-vm-modules --no-warnings node_modules/jest/bin/jest.js -c jest.image.config.js
