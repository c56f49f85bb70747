"""The README's picture: what stood on the terminal is in it, and it fetches nothing from anywhere."""

import re
from xml.etree import ElementTree

from rich.text import Text

from pbx_plugin.sandbox.demo_picture import cropped
from pbx_plugin.sandbox.terminal_svg import CELL_H, CELL_W, svg

LINES = [
    Text.assemble(("  9.0 s", "dim"), "  ", ("R&D <answers>", "bold green")),
    Text("L Anna ┤▁▁█ ", "bright_cyan"),
    Text("       └──┴─"),
]
SHOWN = """\

Call 1: Clara consents

  Decided
    9.0 s  Recording
           Rules looked at before and passed over: 8.
   14.8 s  Another recording

  Consent evidence
    answer  given

  Recording 1 of 2
  L Anna ┤█

  Recording 2 of 2
  L Anna ┤█
"""


def drawn() -> ElementTree.Element:
    return ElementTree.fromstring(svg(LINES, "a window", 40))


def test_every_word_is_in_it_where_it_stood() -> None:
    words = {(text.text or "").replace("\xa0", " "): text.attrib for text in drawn() if text.tag.endswith("text")}
    assert set(words) == {"a window", "9.0 s", "R&D <answers>", "L Anna"}
    answers = words["R&D <answers>"]
    assert round(float(answers["x"]) - float(words["9.0 s"]["x"]), 2) == round(7 * CELL_W, 2)
    assert float(answers["textLength"]) == round(13 * CELL_W, 2)
    assert answers["font-weight"] == "bold"


def test_bars_stand_on_the_line_and_are_as_high_as_they_were() -> None:
    [bars] = [path.attrib["d"] for path in drawn() if path.attrib.get("fill") == "#56d4dd" and "z" in path.get("d", "")]
    heights = [float(high) for high in re.findall(r"v([\d.]+)", bars)]
    assert heights == [CELL_H / 8, CELL_H]
    tops = [float(top) for top in re.findall(r"M[\d.]+ ([\d.]+)", bars)]
    assert tops[0] + heights[0] == tops[1] + heights[1]


def test_frames_are_drawn_and_not_filled() -> None:
    frames = [path.attrib for path in drawn() if "stroke" in path.attrib]
    assert len(frames) == 2
    assert {frame["fill"] for frame in frames} == {"none"}


def test_it_fetches_nothing() -> None:
    assert re.findall(r"https?://[^\"]*|url\(|@import|<image|<script|href", svg(LINES, "a window", 40)) == [
        "http://www.w3.org/2000/svg"
    ]


def test_one_decision_and_one_recording_are_kept() -> None:
    kept = [line.plain for line in cropped(Text(SHOWN))]
    assert kept[0] == "Call 1: Clara consents"
    assert kept[-1] == "  L Anna ┤█"
    assert "    answer  given" in kept
    assert not any("Another recording" in line or "2 of 2" in line for line in kept)
    assert kept[kept.index("  Consent evidence") - 1] == ""
