#!/usr/bin/env bash
# Runs the tests on the other releases of Node that are supported, as npm brings them.
# usage: scripts/nodes.sh [PATTERN...]      file patterns, as for npm test
set -euo pipefail
cd "$(dirname "$0")/.."

here=$(node -p 'process.versions.node.split(".")[0]')
for release in 20 22 24; do
  [ "$release" != "$here" ] || continue
  printf 'Node '
  npx --yes -p "node@$release" node --version
  npx --yes -p "node@$release" node --experimental-vm-modules --no-warnings node_modules/jest/bin/jest.js "$@"
done
