#!/bin/sh
# What needs no call and runs all day: form, types, floors, unit and contract tests but the long ones.
set -eu
. "$(dirname -- "$0")/lib.sh"
step sh deploy/setup.sh

bin=$top/.venv/bin
say "Form (ruff)"
step "$bin/ruff" check --quiet
step "$bin/ruff" format --check --quiet
say "Types (mypy)"
step "$bin/mypy" --no-error-summary
quietly "Floors (import-linter)" "$bin/lint-imports" --no-logo
say "Unit and contract tests"
step "$bin/python" -m pytest -q -n 2 -m "not wide" tests/unit tests/contract "$@"
