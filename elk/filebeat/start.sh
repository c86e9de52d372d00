#!/usr/bin/env bash
# Runs Filebeat. It is stopped after the services: before it ends, it takes the time in which it notices what they wrote
# last (`check_interval` and `backoff.max` in filebeat.yml), because `docker compose down` removes the files afterwards.
set -uo pipefail

filebeat -e --strict.perms=false &
filebeat=$!
trap 'sleep 3; kill -TERM "$filebeat"' TERM INT
status=0
# A signal ends a wait before Filebeat has ended.
while kill -0 "$filebeat" 2>/dev/null; do
  wait "$filebeat"
  status=$?
done
exit "$status"
