#!/bin/sh
# Make Chromium ready, for the tests of the portal. Nothing else needs it.
set -eu
. "$(dirname -- "$0")/lib.sh"
if ! have chromium && ! have chromium-browser && ! have google-chrome; then install_packages chromium; fi
