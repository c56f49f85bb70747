# Shared by the scripts beside it: where things are, how to speak, how to run a step so that it can be stopped.
# Read with `.`, never run. The script that reads it has set -eu.

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$top"

case ${XDG_CACHE_HOME:-} in
/*) cache=$XDG_CACHE_HOME/pbx_plugin ;;
*) cache=${HOME:?HOME is not set}/.cache/pbx_plugin ;;
esac

umask 027

# Scripts that Asterisk starts would be compiled anew for every call; another environment's folder is not ours.
unset PYTHONDONTWRITEBYTECODE VIRTUAL_ENV PYTHONHOME PYTHONPATH

say() { printf '%s\n' "$*" >&2; }

fail() {
    status=$1
    shift
    say "$@"
    exit "$status"
}

have() { command -v "$1" >/dev/null 2>&1; }

# quietly WHAT COMMAND...: one line for a person; the command's own words only if it fails.
quietly() {
    say "$1"
    shift
    log=$(mktemp "${TMPDIR:-/tmp}/pbx_plugin.XXXXXX")
    if "$@" >"$log" 2>&1 9>&-; then
        rm -f "$log"
    else
        code=$?
        cat "$log" >&2
        rm -f "$log"
        return "$code"
    fi
}

# shown WHAT COMMAND...: the same for a long one that shows a person at a terminal how far it is.
shown() {
    if ! [ -t 2 ]; then
        quietly "$@"
        return
    fi
    say "$1"
    shift
    "$@" >&2 9>&-
}

# step COMMAND...: run it so that TERM to this script reaches it, and this script ends only after it has.
# An interrupt from the keyboard reaches it by itself; sh would have it ignored in the background, env takes that back.
running=
stopped=
stop_step() {
    stopped=$1
    if [ "$1" = TERM ] && [ -n "$running" ]; then kill -TERM "$running" 2>/dev/null || :; fi
}
if env --default-signal=INT true 2>/dev/null; then
    heeding="env --default-signal=INT"
else
    heeding=env
fi
step() {
    trap 'stop_step TERM' TERM HUP
    trap 'stop_step INT' INT
    $heeding "$@" &
    running=$!
    code=0
    wait "$running" || code=$?
    # A signal ends the waiting, not the command.
    while kill -0 "$running" 2>/dev/null; do
        code=0
        wait "$running" || code=$?
    done
    running=
    trap - TERM HUP INT
    case $stopped in
    INT) exit 130 ;;
    TERM) exit 143 ;;
    esac
    return "$code"
}
