"""Every proof that docs/security.md names is there, and every line of the chapters has one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
_PROOF = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_every_proof_is_a_test_that_there_is() -> None:
    files = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    proofs = _PROOF.findall(PAGE.read_text())
    assert len(proofs) > 50
    assert [f"{file}::{name}" for file, name in proofs if f"def {name}(" not in files.get(file, "")] == []


def test_every_line_says_how_and_has_its_proof() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]
    assert [line for line in lines if len(line.split(" | ")) != 4 or not _PROOF.search(line)] == []
    chapters = {line[2] for line in lines}
    assert chapters == {"2", "3", "4", "5"}
