"""What hostile people type, send and put into files, and what none of it may do."""

from __future__ import annotations

import unicodedata
from typing import Any

CANARY = "pbxrec_canary"
"""What the texts try to make where they are: a file, a table, an extension of this name."""

TEXTS = {
    "commands": f"${{SHELL(>{CANARY})}}`>{CANARY}`&|^,;$(>{CANARY})",
    "pages and queries": f"<script>x'); CREATE TABLE {CANARY}(x); --\" %_[bold]{{7*7}}",
    "terminal": "\x1b[2J\x1b]0;owned\x07\x08\x7f\x9b31mred\x1b[0m",
    "lines": f"x\r\nX-Evil: y\r\n\r\n[a]\nexten => {CANARY},1,NoOp()\x85\u2028z",
    "scripts": "𝒜𝓃𝓃𝒶 👩\u200d👧 𐍈 \u202egnp.exe\u2066 \u200f שלום",
    "formula and path": f"=../../../../../tmp/{CANARY}|' /C calc'!A0",
}
"""The hostile texts by name, each short enough for any field."""

NO_TEXT = {"zero": "a\0b", "half a surrogate pair": "a\ud800b", "ten kilobytes": "A" * 10_240}
"""What cannot be kept as it is, and hence is refused everywhere, but where a limit is above ten kilobytes."""

_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def harmful(shown: str) -> set[str]:
    """Return what a terminal would obey, line ends aside."""
    return {sign for sign in shown if sign != "\n" and unicodedata.category(sign) in _HARMFUL}


def strings(data: Any) -> list[str]:
    """Return every text in some JSON, keys too."""
    if isinstance(data, str):
        return [data]
    if isinstance(data, dict):
        return [text for pair in data.items() for part in pair for text in strings(part)]
    return [text for part in data for text in strings(part)] if isinstance(data, list) else []
