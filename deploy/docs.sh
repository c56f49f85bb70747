#!/bin/sh
# Write docs/commands.md anew, from the program itself.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

.venv/bin/python -m pbx_plugin.cli.reference >docs/.commands.md
mv docs/.commands.md docs/commands.md
