#!/bin/sh
# Draw the README's picture anew: the demonstration, played for real.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

exec .venv/bin/python -m pbx_plugin.sandbox.demo_picture "$@"
