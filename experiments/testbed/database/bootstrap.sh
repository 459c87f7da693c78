#!/bin/bash
# Starts the database of a region. An empty folder, or one of another seed, becomes a primary (ROLE=primary) or a standby of the
# primary behind PRIMARY_HOST (ROLE=standby); a folder of this seed is started as it is: who was promoted stays promoted.
# What is half made lies in a folder of its own, and is begun anew.
set -euo pipefail
: "${REGION:?}" "${ROLE:?}" "${SEED:?}" "${SLOT:?}" "${PRIMARY_HOST:?}" "${DATA:?}"
here=$(dirname "${BASH_SOURCE[0]}")
final=$DATA/pg new=$DATA/new
options=(-c "config_file=$here/postgresql.conf" -c "hba_file=$here/pg_hba.conf" -c "grandmodel.region=$REGION" -c "grandmodel.seed=$SEED")
primary="host=$PRIMARY_HOST port=5432 user=replicator password=replicator connect_timeout=3"

primary() {
  initdb --username=postgres --auth=scram-sha-256 --pwfile=<(echo postgres) --no-sync -E UTF8 --locale=C.UTF-8 "$new" >/dev/null
  pg_ctl -D "$new" -w -o "$(printf '%q ' "${options[@]}" -c listen_addresses=)" start >/dev/null
  psql -q -U postgres -c 'CREATE DATABASE grandmodel'
  psql -q -U postgres -d grandmodel -f "$here/schema.sql"
  psql -q -U postgres -v slot="$SLOT" >/dev/null <<<"
    CREATE ROLE replicator LOGIN REPLICATION PASSWORD 'replicator';
    SELECT pg_create_physical_replication_slot(:'slot');"
  pg_ctl -D "$new" -w -m fast stop >/dev/null
}

standby() {
  until [ "$(psql "$primary dbname=postgres" -Atqc 'SHOW grandmodel.seed' 2>/dev/null)" = "$SEED" ]; do
    echo "waiting for a primary of seed $SEED at $PRIMARY_HOST"
    sleep 1
  done
  pg_basebackup -d "$primary application_name=$REGION" -D "$new" -S "$SLOT" -X stream -c fast -R
}

if [ "$(cat "$final/seed" 2>/dev/null)" != "$SEED" ]; then
  rm -rf "$final" "$new"
  "$ROLE" || { echo "$ROLE could not be made"; exit 1; }
  echo "$SEED" >"$new/seed"
  sync -f "$new"
  mv "$new" "$final"
fi
exec postgres -D "$final" "${options[@]}"
