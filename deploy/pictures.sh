#!/bin/sh
# Photograph the portal anew for docs/portal.md: the demonstration's calls, in a real browser.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

demo=.sandbox/demo
KEEP=1 step .venv/bin/python -m pbx_plugin.sandbox.demo
trap '.venv/bin/pbx-plugin sandbox down --dir "$demo"' EXIT
PBX_PLUGIN_CONFIG=$PWD/$demo/config.toml .venv/bin/python tests/portal/draw_pictures.py docs/portal
