# shellcheck shell=bash
# The accounts in Elasticsearch. Each role is the file of its name in elk/elasticsearch/roles.

# shellcheck disable=SC2034 # used by the scripts that source this file
folder=/alexandrite/elasticsearch

# Prints a line `KIND LOGIN ROLE PASSWORD` for each account whose password is set; `-` stands for no role.
accounts() {
  local kind login role variable
  while read -r kind login role variable; do
    [[ -z ${!variable-} ]] || printf '%s %s %s %s\n' "$kind" "$login" "$role" "${!variable}"
  done <<'LIST'
person support support SUPPORT_PASSWORD
person auditor auditor AUDITOR_PASSWORD
person employee - EMPLOYEE_PASSWORD
machine shipper shipper SHIPPER_PASSWORD
machine logstash logstash LOGSTASH_PASSWORD
machine apm-server apm-server APM_PASSWORD
machine elastalert elastalert ELASTALERT_PASSWORD
LIST
  # LOGIN:PASSWORD of further employees, if accounts are files.
  local employee
  for employee in ${SUPPORT_EMPLOYEES-}; do
    printf 'person %s support %s\n' "${employee%%:*}" "${employee#*:}"
  done
}
