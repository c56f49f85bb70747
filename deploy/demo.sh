#!/bin/sh
# The demonstration: real calls between two phones through a real Asterisk, recorded. KEEP=1 leaves it up afterwards.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

exec .venv/bin/python -m pbx_plugin.sandbox.demo "$@"
