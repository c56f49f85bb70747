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

# install_packages NAME...: Debian packages, as root; others are told what to type.
apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -y -qq install --no-install-recommends "$@"
}

install_packages() {
    if ! have apt-get; then
        fail 2 "Missing here: $* (Debian's names). Please install them, then run this again."
    fi
    if [ "$(id -u)" -ne 0 ]; then
        fail 2 "Missing system packages. As root, run: apt-get update && apt-get install --no-install-recommends $*"
    fi
    say "Installing system packages: $*"
    if ! apt_install "$@" >/dev/null 2>&1; then
        quietly "Refreshing apt's package lists" apt-get -o DPkg::Lock::Timeout=300 -qq update ||
            fail 1 "apt-get update failed; the reason is above."
        quietly "Trying again" apt_install "$@" ||
            fail 1 "These system packages could not be installed: $*. The reason is above."
    fi
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
