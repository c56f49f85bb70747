"""What use cases refuse, told in the reader's language.

They say it in one English line, which the command line and the REST interface show as it is. Pages look here for what
people meet in forms; what is not here stays English, and is right all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pbx_plugin.domain.handing import Obstacle
from pbx_plugin.portal.words import Tongue


def _(message: str) -> str:
    """Mark a sentence for translation."""
    return message


_RECORDING = "recording [0-9A-Za-z-]+"
LONGEST = 2000
"""Longer texts are left as they are: looking for patterns in them would take long."""
_MEANWHILE = _("Somebody else has changed this meanwhile: load the page again, look, and choose again.")
_NO_SOUND = _("There is no sound to send.")

KNOWN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), sentence)
    for pattern, sentence in (
        (r"the note is empty: write something", _("The note is empty: write something.")),
        (r"(the note|tag|the subject) has (?P<given>\d+) characters: at most (?P<most>\d+) are kept",
         _("This has %(given)s characters: at most %(most)s are kept.")),
        (r".* (?:changed .*meanwhile.*|just (?:been )?changed.*)", _MEANWHILE),
        (rf"(?:{_RECORDING}: )?somebody else was quicker: look again", _MEANWHILE),
        (r"recording \S+ has no note .*", _("There is no such note any more.")),
        (r".* is not in the list of (?:outcome|response)s: .*", _("This is not in the list any more: choose again.")),
        (r"there is no evaluation form yet: .*", _("Your company has no evaluation form yet.")),
        (r"answer to (?P<quote>['\"])(?P<question>.*)(?P=quote) is .*: give (?P<least>\d+) to (?P<most>\d+), or .*",
         _("Answer “%(question)s” with %(least)s to %(most)s, or say that it does not apply.")),
        (r"(?P<place>'.*'|\".*\") is no place in the recording.*", _("%(place)s is no place in the recording.")),
        (rf"{_RECORDING} has no sound: .*", _NO_SOUND),
        (rf"{_RECORDING} expires now: .*", _NO_SOUND),
        (r"a recipient is wanted: .*", _("Write the e-mail address of whom it is for.")),
        (r"e-mail (?P<text>.*) is not an address: .*",
         _("%(text)s is no e-mail address: write it as anna@example.com.")),
        (r"a link for (?P<hours>\d+) hours: give 1 to (?P<most>\d+)",
         _("A link lives 1 to %(most)s hours, not %(hours)s.")),
        (r"the (?:longest )?life of a link is (?P<hours>-?\d+) hours: give 1 to (?P<most>\d+)",
         _("A link lives 1 to %(most)s hours, not %(hours)s.")),
        (r"(?P<given>-?\d+) listeners at once: give 0 \(any number\) to (?P<most>\d+)",
         _("Not %(given)s listeners: give 0 (any number) to %(most)s.")),
        (r"the name .* cannot be: give 1 to (?P<most>\d+) .*", _("Give a name of 1 to %(most)s signs.")),
        (r"only superusers share searches .*", _("Only superusers share searches: save it for yourself.")),
        (r"(?P<many>\d+) searches are saved already: .*", _("%(many)s searches are saved already: remove one first.")),
        (r".* was shared by .*: only superusers remove it", _("This search is shared: only superusers remove it.")),
        (r"no such saved search: .*", _("This search is removed already.")),
        (r"a list without columns .*", _("A list without columns shows nothing: choose one at least.")),
        *((rf"{_RECORDING}: {re.escape(why)}", sentence) for why, sentence in (
            (Obstacle.FORBIDDEN, _("Your company forbids deleting by hand: recordings go when they expire.")),
            (Obstacle.PROTECTED,
             _("Recordings of calls to this number cannot be deleted by hand. They go when they expire.")),
            (Obstacle.HELD, _("It is under a legal hold, which must be released first.")),
            (Obstacle.GOING_ON, _("It is not stored yet. Delete it when the call has ended.")),
            (Obstacle.DELETED, _("It was deleted already.")),
            (Obstacle.ASKED, _("Somebody has asked for it already: another superuser confirms or refuses.")),
        )),
        (rf"{_RECORDING}: it was deleted already", _("It was deleted already.")),
        (rf"{_RECORDING}: you asked for it: .*", _("You asked for it yourself: another superuser must confirm.")),
        (rf"{_RECORDING}: nobody has asked .*", _("Nobody has asked to delete it, or it is decided already.")),
        (r"no recording .*|recording \S+: is gone", _("There is no such recording.")),
        (rf"{_RECORDING}: (?P<day>\S+) is too late: the caller was told (?P<told>\d+) days, so (?P<latest>\S+) .*",
         _("%(day)s is too late: the caller was told %(told)s days, so %(latest)s is the last day.")),
        (rf"{_RECORDING}: (?P<day>\S+) is too late: .*, so (?P<latest>\S+) .*",
         _("%(day)s is too late: no recording is kept longer than a year, so %(latest)s is the last day.")),
        (rf"{_RECORDING}: (?P<day>\S+) is too early: .*", _("%(day)s is too early: give tomorrow or later.")),
        (rf"{_RECORDING}: (?P<day>\S+) is earlier than (?P<now>\S+): .*",
         _("%(day)s is earlier than %(now)s: this recording may only be kept longer.")),
        (r"(?P<text>.*) is no day: .*", _("%(text)s is no day: write it as 2026-11-22.")),
        (r"(?P<text>.*) is no time of day: .*", _("%(text)s is no time of day: write it as 08:00-17:00.")),
        (r"(?P<text>.*) has no minute in it: .*", _("%(text)s ends when it begins: give another time.")),
        (r"(?P<text>.*) is no length: .*", _("%(text)s is no length: write seconds, or minutes and seconds as 2:30.")),
        (r"(?P<text>.*) is longer than any call: .*", _("%(text)s is longer than any call.")),
        (r"(?P<text>.*) is no number of rows: .* to (?P<most>\d+)",
         _("%(text)s is no number of rows: give 0 to %(most)s.")),
        (r".* has (?P<given>\d+) characters: give at most (?P<most>\d+)",
         _("This has %(given)s characters: at most %(most)s are kept.")),
        (r".* has signs that cannot be printed: .*",
         _("There are signs in it that cannot be printed: leave them out.")),
        (r"one value is wanted, not .*", _("Only one value can be given here.")),
        (r"no .*: give (?:one of )?(?P<words>.*)", _("There is no such choice: give one of %(words)s.")),
    )
)  # fmt: skip


def retold(tongue: Tongue, text: str) -> str:
    """Return a refusal in the reader's language; any other text as it is."""
    if len(text) > LONGEST:
        return text
    parts = text.split("; ")
    told = [_one(tongue, part) for part in parts]
    return " ".join(filter(None, told)) if len(parts) > 1 and all(told) else _one(tongue, text) or text


def retold_values(tongue: Tongue, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield those of a page's values that may be refusals, retold: ``problem``, ``problems``, an error's ``detail``."""
    problem, problems, inner = values.get("problem"), values.get("problems"), values.get("values")
    if isinstance(problem, str) and problem:
        yield "problem", retold(tongue, problem)
    if isinstance(problems, Mapping):
        yield "problems", {name: retold(tongue, str(text)) for name, text in problems.items()}
    if isinstance(inner, Mapping) and isinstance(inner.get("detail"), str):
        yield "values", {**inner, "detail": retold(tongue, inner["detail"])}


def _one(tongue: Tongue, text: str) -> str:
    for pattern, sentence in KNOWN:
        found = pattern.fullmatch(text)
        if found:
            return tongue.gettext(sentence) % found.groupdict()
    return ""
