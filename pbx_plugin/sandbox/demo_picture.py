"""Makes the README's picture: plays the demonstration for real, and draws what it showed of the first call.

    python -m pbx_plugin.sandbox.demo_picture

Writes ``docs/demo.svg`` when everything that the demonstration claims is so; else nothing, and the exit code is 1.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.demo import CALLS, FOLDER, Demo
from pbx_plugin.sandbox.demo_show import Show
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.terminal_svg import svg

PICTURE = Path("docs/demo.svg")
TITLE = "make demo"
WIDTH = 100
FIRST_DECISION_ENDS, NEXT_PART = "Rules looked at before", "Consent evidence"
ENDS_BEFORE = "Recording 2 of"
"""The call has three decisions and two recordings; one of each is enough to see what they look like."""


class PicturedDemo(Demo):
    """A demonstration that keeps what it shows of its first call."""

    lines: Sequence[Text] = ()

    def _show(self, site: Site, told: list[CallDetail], names: dict[str, str]) -> bool:
        good = super()._show(site, told, names)
        if good:
            self.lines = first_call(site, told[0], names)
        return good


def first_call(site: Site, call: CallDetail, names: Mapping[str, str]) -> list[Text]:
    """Return what the demonstration shows of its first call, line by line, down to its first recording."""
    person = CALLS[0][1].first_name.lower()
    listen = {
        one.recording_id: FOLDER / f"call-1-{person}-part-{part}.wav" for part, one in enumerate(call.recordings, 1)
    }
    console = Console(
        file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, color_system="truecolor", highlight=False,
        emoji=False, markup=False,
    )  # fmt: skip
    Show(console, site.settings, names).call(1, CALLS[0][0], call, listen)
    return cropped(Text.from_ansi(console.export_text(styles=True)))


def cropped(shown: Text) -> list[Text]:
    """Return the lines from the title to the first recording's picture, later decisions left out."""
    kept: list[Text] = []
    leaving_out = False
    for line in shown.split("\n"):
        if ENDS_BEFORE in line.plain:
            break
        leaving_out = leaving_out and NEXT_PART not in line.plain
        if not leaving_out and (kept or line.plain.strip()):
            kept.append(line)
        if FIRST_DECISION_ENDS in line.plain:
            kept.append(Text())
            leaving_out = True
    while kept and not kept[-1].plain.strip():
        kept.pop()
    return kept


def main() -> int:
    """Play, draw, write; where the picture lies is told."""
    console = Console(width=100, highlight=False, emoji=False, markup=False)
    demo = PicturedDemo(console, FOLDER.absolute(), keep=False)
    code = demo.run()
    if code or not demo.lines:
        return 1
    PICTURE.write_text(svg(demo.lines, TITLE, WIDTH), encoding="utf-8")
    console.print(f"Drawn: {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
