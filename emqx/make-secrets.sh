#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, in secrets/ at the root of the repository. Keeps those that exist.
# usage: sh emqx/make-secrets.sh
set -eu
cd "$(dirname "$0")/.."
# The containers' users must read the files; nobody else gets into the folder.
umask 022
mkdir -p secrets/credentials
chmod 700 secrets

random() {
  od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}
keep() {
  [ -s "secrets/$1" ] || cat > "secrets/$1"
}

random 24 | keep broker_password
random 24 | keep lock_17_password
random 24 | keep lock_18_password
random 32 | keep emqx_cookie
random 12 | keep emqx_dashboard_password
random 24 | keep emqx_api_secret
random 20 | keep backend_secret_access_key

printf 'tightbeam:%s:administrator\n' "$(cat secrets/emqx_api_secret)" | keep emqx_api_keys
# The access key ID and the users are those that policies/principals.json names.
keep credentials/credentials.json <<JSON
{
  "accessKeys": { "AKIAIOSFODNN7EXAMPLE": "$(cat secrets/backend_secret_access_key)" },
  "mqttUsers": {
    "lock-17": "$(cat secrets/lock_17_password)",
    "lock-18": "$(cat secrets/lock_18_password)"
  }
}
JSON
echo "secrets/ is complete"
