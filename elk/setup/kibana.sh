#!/usr/bin/env bash
# Imports the saved objects of elk/kibana into Kibana, replacing those of the same id.
set -euo pipefail

for path in /alexandrite/kibana/*.ndjson; do
  # The password is not an argument, so it is not visible in the process list.
  answer=$(curl -sS --fail-with-body -K <(printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD") -H 'kbn-xsrf: true' \
    -F "file=@$path" "$KIBANA_URL/api/saved_objects/_import?overwrite=true")
  # A failed import has status 200, too.
  [[ $answer == *'"success":true'* ]] || { echo "$path: $answer" >&2 && exit 1; }
  echo "$path is imported"
done
