#!/usr/bin/env bash
# Makes the databases `shop` and `mes`, each with an owner who can do nothing else. Runs once, on an empty volume.
set -euo pipefail

database() { # NAME PASSWORD
  # The password is not an argument, so it is not visible in the process list.
  NEW_PASSWORD=$2 psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set name="$1" <<'SQL'
\getenv password NEW_PASSWORD
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

database shop "$SHOP_DATABASE_PASSWORD"
database mes "$MES_DATABASE_PASSWORD"
