#!/bin/sh
# Measure what recording costs, on this machine. HOUR=1 has the long call last a real hour.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

if [ -n "${HOUR:-}" ]; then
    set -- "$@" --minutes 60
fi
exec .venv/bin/python -m pbx_plugin.sandbox.bench "$@"
