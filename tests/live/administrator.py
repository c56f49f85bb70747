"""The company's administrator at the command line of the running site, and what was before put back at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stage import Stage, talk

IN_FORCE_S = 2.5
"""The recorder looks for changes once a second."""
PROMISED_S = 5.0
"""So long after a change is applied it counts, at the latest."""


def command(stage: Stage, *words: str) -> Any:
    """Type a command that must work; return what it says as JSON."""
    program = [sys.executable, "-m", "pbx_plugin.cli.main", "--config", str(stage.site.config_path), *words, "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def apply(stage: Stage, folder: Path, **changes: Any) -> int:
    """Apply the policy in force with these settings changed, and return the version's number; in force soon after."""
    document = command(stage, "policy", "show")["policy"]
    for key, value in changes.items():
        document[key] = {**document[key], **value} if isinstance(document[key], dict) else value
    return put(stage, folder, document)


def put(stage: Stage, folder: Path, document: dict[str, Any]) -> int:
    """Apply a whole document."""
    file = folder / "policy.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return int(command(stage, "policy", "apply", str(file), "--acknowledge-announcement")["number"])


@contextmanager
def restoring(stage: Stage, folder: Path) -> Iterator[None]:
    """Put the policy back, whatever it was changed to meanwhile."""
    before = command(stage, "policy", "show")["policy"]
    try:
        yield
    finally:
        put(stage, folder, before)
        talk(IN_FORCE_S)
