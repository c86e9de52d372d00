#!/usr/bin/env bash
# Sets up Elasticsearch: templates, retention, and with ELASTICSEARCH_ACCOUNTS=api roles and users. Idempotent. Exits at
# the first failure; features that this Elasticsearch lacks are listed at the end.
set -euo pipefail

# shellcheck source=accounts.sh
. /alexandrite/setup/accounts.sh
left_out=()

# request METHOD PATH [FILE]: prints the response's body, then its status. FILE is the body; - stands for standard
# input.
request() {
  local body=()
  [[ -z ${3-} ]] || body=(-H 'Content-Type: application/json' --data-binary "@$3")
  # The password is not an argument, so it is not visible in the process list.
  curl -sS -X "$1" -w '\n%{http_code}' -K <(printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD") \
    "${body[@]}" "$ELASTICSEARCH_URL/$2"
}

# put PATH [FILE]
put() {
  local answer
  answer=$(request PUT "$@")
  [[ ${answer##*$'\n'} == 2* ]] || { echo "PUT $1: $answer" >&2 && return 1; }
  echo "PUT $1"
}

is_there() { # PATH
  [[ $(request GET "$1" | tail -n 1) == 200 ]]
}

# Text as a JSON string.
json() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

templates() {
  local modules
  modules=$(request GET '_nodes/_local/plugins?filter_path=nodes.*.modules.name')
  [[ ${modules##*$'\n'} == 200 ]] || { echo "GET _nodes: $modules" >&2 && return 1; }
  put _component_template/alexandrite-mappings "$folder/mappings.json"
  if [[ $modules == *'"x-pack-ilm"'* ]]; then
    put _ilm/policy/alexandrite "$folder/ilm-policy.json"
    put _component_template/alexandrite-retention "$folder/retention.json"
    # ElastAlert's runs, about 180,000 a day: their index is deleted after a week, and ElastAlert makes it anew.
    put _ilm/policy/alexandrite-alert-runs "$folder/alert-runs-policy.json"
    put _index_template/alexandrite-alert-runs "$folder/alert-runs-template.json"
  else
    left_out+=("retention: this Elasticsearch has no index lifecycle management, so no log is deleted after 180 days")
  fi
  put _index_template/alexandrite "$folder/index-template.json"
  # Who has searched.
  put _index_template/alexandrite-audit "$folder/audit-template.json"
  # ElastAlert's own indices.
  put _index_template/alexandrite-alerts "$folder/alerts-template.json"
}

# Records a change of a role or an account where the auditor sees it: audit ACTION NAME
audit() {
  local answer
  answer=$(request POST "alexandrite-audit-$(date -u +%Y.%m.%d)/_doc" - <<JSON
{"@timestamp": "$(date -u +%Y-%m-%dT%H:%M:%SZ)", "event.action": "$1", "event.outcome": "success",
 "user.name": "elastic", "user.target.name": $(json "$2")}
JSON
  )
  [[ ${answer##*$'\n'} == 2* ]] || { echo "audit $1 $2: $answer" >&2 && return 1; }
}

accounts_by_api() {
  local path role kind login password roles
  for path in "$folder"/roles/*.json; do
    role=${path##*/}
    put "_security/role/${role%.json}" "$path"
    audit role-put "${role%.json}"
  done
  while read -r kind login role password; do
    roles=$(json "$role")
    [[ $role != - ]] || roles=
    # An existing person's account may have a new password, or be disabled.
    if [[ $kind == person ]] && is_there "_security/user/$login"; then
      echo "There is _security/user/$login"
    else
      put "_security/user/$login" - <<<"{\"password\": $(json "$password"), \"roles\": [$roles]}"
      audit user-put "$login"
    fi
  done < <(accounts)
}

kibana_account() {
  if put _security/user/kibana_system/_password - <<<"{\"password\": $(json "$KIBANA_SYSTEM_PASSWORD")}"; then
    audit user-put kibana_system
    return
  elif [[ $ELASTICSEARCH_ACCOUNTS == api ]]; then
    return 1
  fi
  left_out+=("Kibana's account: this Elasticsearch keeps no password for it")
}

templates
case $ELASTICSEARCH_ACCOUNTS in
  api) accounts_by_api ;;
  files) echo "Roles and users are files" ;;
esac
[[ -z ${KIBANA_SYSTEM_PASSWORD-} ]] || kibana_account

for what in "${left_out[@]}"; do
  echo "LEFT OUT: $what"
done
echo "Elasticsearch is set up"
