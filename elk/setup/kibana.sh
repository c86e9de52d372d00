#!/usr/bin/env bash
# Imports the saved objects of elk/kibana into Kibana, replacing those of the same id: alexandrite.ndjson into the default
# space, and audit.ndjson into a space of its own, which the role `auditor` sees and the role `support` doesn't.
set -euo pipefail

# Sends a request to Kibana, and prints the response and in a line of its own its status: request METHOD PATH [CURL'S ARGUMENTS]
request() {
  # The password is not an argument, so it is not visible in the process list.
  curl -sS -K <(printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD") -H 'kbn-xsrf: true' -w '\n%{http_code}' \
    -X "$1" "$KIBANA_URL$2" "${@:3}"
}

import() {
  local path=$1 space=$2 answer
  answer=$(request POST "$space/api/saved_objects/_import?overwrite=true" -F "file=@$path")
  # A failed import has status 200, too.
  [[ $answer == *'"success":true'*$'\n'200 ]] || { echo "$path: $answer" >&2 && return 1; }
  echo "$path is imported"
}

space=$(request POST /api/spaces/space -H 'Content-Type: application/json' \
  -d '{"id": "audit", "name": "Audit", "description": "Who has searched the logs"}')
# 409: it is there.
[[ ${space##*$'\n'} == 200 || ${space##*$'\n'} == 409 ]] || { echo "The space audit: $space" >&2 && exit 1; }

import /alexandrite/kibana/alexandrite.ndjson ""
import /alexandrite/kibana/audit.ndjson /s/audit
