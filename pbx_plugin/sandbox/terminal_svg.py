"""What stood on a terminal as a picture (SVG) that looks the same everywhere: it fetches nothing, not even a font.

Bars and frames are drawn as shapes, because a browser's fonts give them other heights and leave gaps between the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

CELL_W, CELL_H, FONT_SIZE = 8.4, 18.0, 14.0
MARGIN, BAR_H = 18.0, 34.0
BASELINE = 13.5
DIM = 0.6
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
THEME = TerminalTheme(
    (13, 17, 23), (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (214, 134, 255), (57, 197, 207),
     (177, 186, 196)],
    [(110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65), (121, 192, 255), (226, 157, 255), (86, 212, 221),
     (240, 246, 252)],
)  # fmt: skip

BLOCKS = {sign: eighths / 8 for eighths, sign in enumerate(" ▁▂▃▄▅▆▇█") if eighths}
LINES = {
    "─": "lr",
    "│": "ud",
    "┤": "udl",
    "├": "udr",
    "└": "ur",
    "┘": "ul",
    "┌": "dr",
    "┐": "dl",
    "┴": "ulr",
    "┬": "dlr",
}
"""Which sides of its cell a frame's line reaches."""


def svg(lines: Sequence[Text], title: str, width: int) -> str:
    """Return a window called ``title`` with these lines in it, ``width`` columns wide."""
    console = Console(width=width, color_system="truecolor", force_terminal=True, legacy_windows=False, no_color=False)
    w, h = width * CELL_W + 2 * MARGIN, len(lines) * CELL_H + BAR_H + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(w)} {_n(h)}" width="{_n(w)}" height="{_n(h)}" '
        f'role="img" aria-label="{escape(title)}" font-family="{FONTS}" font-size="{_n(FONT_SIZE)}">',
        f'<rect width="{_n(w)}" height="{_n(h)}" rx="8" fill="{THEME.background_color.hex}"/>',
        *(
            f'<circle cx="{_n(MARGIN + 4 + 18 * at)}" cy="{_n(BAR_H / 2)}" r="5.5" fill="{colour}"/>'
            for at, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
        f'<text x="{_n(w / 2)}" y="{_n(BAR_H / 2 + 5)}" text-anchor="middle" fill="{THEME.ansi_colors[7].hex}">'
        f"{escape(title)}</text>",
    ]
    for number, line in enumerate(lines):
        segments = list(console.render(line, console.options.update(no_wrap=True, overflow="ignore")))
        parts += _line(segments, BAR_H + number * CELL_H)
    return "\n".join([*parts, "</svg>", ""])


def _line(segments: Sequence[Segment], top: float) -> Iterator[str]:
    column = 0
    for text, style, _control in segments:
        paint = _paint(style or Style.null())
        for kind, run in groupby(text.rstrip("\n"), key=_kind):
            signs = "".join(run)
            x = MARGIN + column * CELL_W
            column += len(signs)
            if kind == "block":
                yield f'<path d="{_blocks(signs, x, top)}" {paint}/>'
            elif kind == "line":
                yield f'<path d="{_lines(signs, x, top)}" {paint.replace("fill", "stroke", 1)} fill="none"/>'
            elif signs.strip():
                yield _words(signs, x, top, paint)


def _kind(sign: str) -> str:
    return "block" if sign in BLOCKS else "line" if sign in LINES else "text"


def _words(signs: str, x: float, top: float, paint: str) -> str:
    start = len(signs) - len(signs.lstrip())
    words = signs.strip()
    place = f'x="{_n(x + start * CELL_W)}" y="{_n(top + BASELINE)}" textLength="{_n(len(words) * CELL_W)}"'
    return f"<text {place} {paint}>{escape(words, quote=False).replace(' ', chr(160))}</text>"


def _blocks(signs: str, x: float, top: float) -> str:
    drawn = []
    for sign, run in groupby(signs):
        wide = len(list(run)) * CELL_W
        high = BLOCKS[sign] * CELL_H
        drawn.append(f"M{_n(x)} {_n(top + CELL_H - high)}h{_n(wide)}v{_n(high)}h{_n(-wide)}z")
        x += wide
    return "".join(drawn)


def _lines(signs: str, x: float, top: float) -> str:
    drawn = []
    for sign, run in groupby(signs):
        count = len(list(run))
        if LINES[sign] == "lr":
            drawn.append(f"M{_n(x)} {_n(top + CELL_H / 2)}h{_n(count * CELL_W)}")
            x += count * CELL_W
            continue
        for _ in range(count):
            ends = {
                "u": f"v{_n(-CELL_H / 2)}",
                "d": f"v{_n(CELL_H / 2)}",
                "l": f"h{_n(-CELL_W / 2)}",
                "r": f"h{_n(CELL_W / 2)}",
            }
            middle = f"M{_n(x + CELL_W / 2)} {_n(top + CELL_H / 2)}"
            drawn += [middle + ends[side] for side in LINES[sign]]
            x += CELL_W
    return "".join(drawn)


def _paint(style: Style) -> str:
    colour = style.color.get_truecolor(THEME).hex if style.color else THEME.foreground_color.hex
    words = [f'fill="{colour}"']
    if style.bold:
        words.append('font-weight="bold"')
    if style.dim:
        words.append(f'opacity="{DIM}"')
    return " ".join(words)


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
