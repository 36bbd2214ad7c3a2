#!/bin/sh
# Hands EMQX the secrets that it takes from the environment only, then starts it as its image does.
set -eu
EMQX_NODE__COOKIE=$(cat /run/secrets/emqx_cookie)
EMQX_DASHBOARD__DEFAULT_PASSWORD=$(cat /run/secrets/emqx_dashboard_password)
export EMQX_NODE__COOKIE EMQX_DASHBOARD__DEFAULT_PASSWORD
exec /usr/bin/docker-entrypoint.sh "$@"
