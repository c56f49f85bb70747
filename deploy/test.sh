#!/bin/sh
# Every test there is: the checks, the portal in a real browser, then real calls on a real Asterisk. Arguments go to the
# last pytest.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/check.sh
say "Long contract tests"
step .venv/bin/python -m pytest -q -n 2 -m wide tests/contract

python=$top/.venv/bin/python

# twice FOLDER ARGUMENTS...: tests in real time on a busy machine. What failed is tried once more, one after the other,
# and has to pass then. More than a handful is no accident.
twice() {
    folder=$1
    shift
    code=0
    step "$python" -m pytest "$folder" -n 2 --dist loadfile "$@" || code=$?
    [ "$code" -ne 0 ] || return 0
    [ "$code" -eq 1 ] || exit "$code"
    failed=$("$python" -m pytest "$folder" --lf --lfnf=none --collect-only -q "$@" 2>/dev/null | grep -c '::' || :)
    [ "$failed" -le 6 ] || fail 1 "$failed tests failed: too many to be an accident, not tried again."
    say "Once more, alone: the $failed tests above that failed"
    step "$python" -m pytest "$folder" --lf --lfnf=none "$@"
}

step sh deploy/browser.sh
say "The portal in a browser"
twice tests/portal

# A call mostly waits: two sites, each with an Asterisk of its own, share two cores well.
say "Real calls"
twice tests/live "$@"
