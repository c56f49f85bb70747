#!/bin/sh
# Make everything ready that the demo and the tests need: system packages, the Python environment, an Asterisk.
# May be run any number of times, by several at once; a run with nothing to do takes about a second.
set -eu
. "$(dirname -- "$0")/lib.sh"

mkdir -p "$cache"
if have flock; then
    exec 9>"$cache/setup.lock"
    if ! flock -n 9; then
        say "Another set-up is running: waiting for it"
        flock 9
    fi
    rm -rf "$cache"/uv.making.*
fi

# The phones of the sandbox are built for Python 3.11 and 3.12; a newer one only serves to fetch such a one.
find_python() {
    for wanted in '(3, 11) <= sys.version_info < (3, 13)' 'sys.version_info >= (3, 11)'; do
        for candidate in python3 python3.12 python3.11 python3.13 python3.14 /usr/bin/python3; do
            if "$candidate" -c "import sys; sys.exit(not ($wanted))" 2>/dev/null; then
                "$candidate" -c 'import sys; print(sys.executable)'
                return
            fi
        done
    done
    return 1
}

# What pip has been told about where packages come from, in its own configuration or by its environment variables.
pip_has_own_index() {
    for pip in "$cache/uv/bin/python" "$python"; do
        if "$pip" -m pip config list 2>/dev/null | grep -Eq '^[^.]*\.(index-url|no-index)='; then return; fi
    done
    return 1
}

# The package that holds what is missing, for each thing that is.
missing_packages() {
    have espeak-ng || echo espeak-ng
    have sipp || echo sip-tester
    have ffmpeg || echo ffmpeg
    # Only root may make networks; for others the tests cut a wire in another way.
    [ "$(id -u)" -ne 0 ] || have ip || echo iproute2
    if ! have uv && ! [ -x "$cache/uv/bin/uv" ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo python3-venv
    fi
}

install_uv() {
    making=$(mktemp -d "$cache/uv.making.XXXXXX")
    "$python" -m venv "$making" && "$making/bin/python" -m pip install --disable-pip-version-check uv &&
        mv "$making" "$cache/uv" || {
        code=$?
        rm -rf "$making"
        return "$code"
    }
}

# The lock file names the public index. On a machine told to use another, pip fetches what the lock file lists, from
# there; the lock file's checksums hold all the same.
fill_environment() {
    if pip_has_own_index; then
        wanted=$(mktemp "${TMPDIR:-/tmp}/pbx_plugin.XXXXXX")
        "$uv" venv --quiet --allow-existing --seed --python "$venv_python" .venv &&
            "$uv" export --quiet --frozen --all-extras --no-emit-project >"$wanted" &&
            .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r "$wanted" &&
            .venv/bin/python -m pip install --disable-pip-version-check --no-deps -e . || {
            code=$?
            rm -f "$wanted"
            return "$code"
        }
        rm -f "$wanted"
    else
        "$uv" sync --frozen --all-extras --python "$venv_python"
    fi
}

python=$(find_python) || fail 2 "Python 3.11 or newer is needed, and none was found. On Debian, as root: apt-get install python3 python3-venv"

# shellcheck disable=SC2046 # one package a word
set -- $(missing_packages)
[ $# -eq 0 ] || install_packages "$@"

# Made for this place, by this Python, from these files: then there is nothing to do.
stamp="$top $python $(cat pyproject.toml uv.lock | cksum)"
if ! [ "$(cat .venv/.made-from 2>/dev/null)" = "$stamp" ] || ! .venv/bin/python -c 'import pbx_plugin' 2>/dev/null; then
    export UV_PROJECT_ENVIRONMENT=.venv UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
    uv=$(command -v uv || echo "$cache/uv/bin/uv")
    if ! [ -x "$uv" ]; then
        quietly "Getting uv, which makes the Python environment" install_uv ||
            fail 1 "uv could not be installed by pip; the reason is above."
    fi
    venv_python=$python
    if ! "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then venv_python=3.12; fi
    shown "Making the Python environment (.venv)" fill_environment ||
        fail 1 "The Python environment could not be made; the reason is above."
    printf '%s\n' "$stamp" >.venv/.made-from
fi

# Keep the lock: the Asterisk is shared by all checkouts.
.venv/bin/python -m pbx_plugin.sandbox.provision || exit $?
