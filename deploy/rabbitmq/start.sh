#!/usr/bin/env bash
# Starts the broker in its container, with the environment's passwords: writes them into the definitions, which become FILE and
# are loaded at every start. So an upgrade brings no other password along.
#
#   start.sh FILE
set -euo pipefail

definitions=$(< "$(dirname "$0")/definitions.json")
for variable in ALEXANDRITE_AMQP_PASSWORD CRM_AMQP_PASSWORD MES_AMQP_PASSWORD; do
  password=${!variable:?$variable is not set}
  password=${password//'\'/'\\'}
  password=${password//'"'/'\"'}
  definitions=${definitions//"\${$variable}"/"$password"}
done
(umask 077 && printf '%s\n' "$definitions" > "$1")
exec docker-entrypoint.sh rabbitmq-server
