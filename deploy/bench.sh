#!/bin/sh
# Measure what recording costs, on this machine. HOUR=1 has the long call last a real hour.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

# Searching is measured on each database whose server is here. Where we may, we see to it that all are.
if [ "$(id -u)" -eq 0 ] && have apt-get; then
    set_up=
    have mariadbd || set_up="$set_up mariadb-server"
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || set_up="$set_up postgresql"
    if [ -n "$set_up" ]; then
        # shellcheck disable=SC2086 # one package a word
        quietly "Installing database servers to measure:$set_up" apt_install $set_up ||
            say "Not installed; what is here is measured"
    fi
fi

if [ -n "${HOUR:-}" ]; then
    set -- "$@" --minutes 60
fi
exec .venv/bin/python -m pbx_plugin.sandbox.bench "$@"
