#!/bin/sh
# Tries what speaks to the database on PostgreSQL and MariaDB as well: private servers in a folder that is removed again,
# on the loopback, with Debian's packages postgresql and mariadb-server (neither service need run).
set -eu
. "$(dirname -- "$0")/lib.sh"
python=$top/.venv/bin/python

find_program() {
    for place in "$@"; do
        if [ -x "$place" ]; then
            echo "$place"
            return
        fi
    done
    fail 1 "There is no $(basename "$1") here: apt-get install postgresql mariadb-server."
}

# Neither server runs as root; as root they get the accounts that their packages made.
as() {
    account=$1
    shift
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid="$account" --regid="$account" --clear-groups "$@"
    fi
    exec "$@"
}

free_port() {
    "$python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

POSTGRES=$(find_program $(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null || echo postgres))
MARIADB=$(find_program /usr/sbin/mariadbd)
folder=$(mktemp -d)
servers=
trap 'for server in $servers; do kill "$server" 2>/dev/null && wait "$server" || true; done; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
chmod 0755 "$folder"
mkdir -m 0700 "$folder/pg" "$folder/my"
if [ "$(id -u)" = 0 ]; then
    chown postgres "$folder/pg"
    chown mysql "$folder/my"
fi

bin=$(dirname "$POSTGRES")
pg_port=$(free_port)
(cd "$folder/pg" && as postgres "$bin/initdb" -D data -A trust -U t --encoding=UTF8 --locale=C.UTF-8) >"$folder/log" 2>&1
(cd "$folder/pg" && as postgres "$POSTGRES" -D data -h 127.0.0.1 -p "$pg_port" -k "$folder/pg" -c fsync=off) \
    >"$folder/pg.log" 2>&1 &
servers="$servers $!"

my_port=$(free_port)
(cd "$folder/my" && as mysql /usr/bin/mariadb-install-db --no-defaults --datadir="$folder/my/data" --skip-test-db \
    --auth-root-authentication-method=normal) >>"$folder/log" 2>&1
(cd "$folder/my" && as mysql "$MARIADB" --no-defaults --datadir="$folder/my/data" --socket="$folder/my/socket" \
    --bind-address=127.0.0.1 --port="$my_port" --innodb-flush-log-at-trx-commit=0) >"$folder/my.log" 2>&1 &
servers="$servers $!"

ready() {
    for _ in $(seq 60); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    cat "$folder"/log "$folder"/*.log >&2
    exit 1
}
ready "$bin/createdb" -h 127.0.0.1 -p "$pg_port" -U t t
ready /usr/bin/mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "$my_port" -u root \
    -e "CREATE DATABASE t; CREATE USER t@'127.0.0.1' IDENTIFIED BY 't'; GRANT ALL ON t.* TO t@'127.0.0.1'"

PBX_PLUGIN_TEST_DATABASES="postgresql://t@127.0.0.1:$pg_port/t mariadb://t:t@127.0.0.1:$my_port/t"
export PBX_PLUGIN_TEST_DATABASES
"$python" -m pytest -q "$@" $(grep -lE '\b(engine: Engine|database_url: str)\b' tests/contract/test_*.py)
