#!/usr/bin/env bash
# Starts Elasticsearch in its container. With ELASTICSEARCH_ACCOUNTS=files, roles and users are files, created here.
set -euo pipefail

# shellcheck source=accounts.sh
. /alexandrite/setup/accounts.sh

accounts_as_files() {
  local path role login password
  for path in "$folder"/roles/*.json; do
    role=${path##*/}
    # JSON is valid YAML.
    printf '%s: %s\n' "${role%.json}" "$(tr '\n' ' ' <"$path")"
  done >config/roles.yml
  : >config/users
  : >config/users_roles
  while read -r _ login role password; do
    local in_role=(-r "$role")
    [[ $role != - ]] || in_role=()
    # Asks for the password twice. As an argument it would be visible in the process list.
    elasticsearch-users useradd "$login" "${in_role[@]}" >/dev/null <<<"$password"$'\n'"$password"
  done < <(accounts)
}

cd /usr/share/elasticsearch
grep -q '^appender.searches.name' config/log4j2.properties || cat "$folder/searches.log4j2.properties" >>config/log4j2.properties
case ${ELASTICSEARCH_ACCOUNTS-} in
  api) ;;
  files) accounts_as_files ;;
  *) echo "ELASTICSEARCH_ACCOUNTS has to be api or files, not '${ELASTICSEARCH_ACCOUNTS-}'" >&2 && exit 1 ;;
esac
exec /usr/local/bin/docker-entrypoint.sh eswrapper
