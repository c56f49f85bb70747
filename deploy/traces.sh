#!/bin/sh
# Make the calls of tests/contract/traces anew, on a real Asterisk. Arguments name some of them; without, it is all.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

exec .venv/bin/python tests/live/record_traces.py "$@"
