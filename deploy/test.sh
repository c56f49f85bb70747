#!/bin/sh
# Every test there is: the checks, then real calls on a real Asterisk. Arguments go to the last pytest.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/check.sh
say "Long contract tests"
step .venv/bin/python -m pytest -q -n 2 -m wide tests/contract

# A call mostly waits: two sites, each with an Asterisk of its own, share two cores well.
exec .venv/bin/python -m pytest tests/live -n 2 --dist loadfile "$@"
