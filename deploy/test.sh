#!/bin/sh
# Every test there is: the checks, then real calls on a real Asterisk. Arguments go to the last pytest.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/check.sh

exec .venv/bin/python -m pytest tests/live "$@"
