#!/bin/sh
# Measure what recording costs, on this machine.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

exec .venv/bin/python -m pbx_plugin.sandbox.bench "$@"
