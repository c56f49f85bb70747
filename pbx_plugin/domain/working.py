"""What people make of a recording: flag, outcome, customer response, tag, notes; the words for it and their limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

LONGEST_TAG = 128
LONGEST_CHOICE = 100
LONGEST_NOTE = 4000
LONGEST_MS = 7 * 24 * 3600 * 1000
"""No place in a recording lies further from its beginning, in milliseconds."""


class Flag(StrEnum):
    """The colour that somebody gave to a recording or to a note; what it means is each company's own."""

    NONE = "none"
    GREEN = "green"
    RED = "red"
    BLUE = "blue"


class ChoiceKind(StrEnum):
    """The two lists of which a recording can have one entry each."""

    OUTCOME = "outcome"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of one of a company's lists; one that is ``retired`` stays where it was chosen, but is not offered."""

    id: str
    kind: ChoiceKind
    text: str
    position: int
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """What is marked on a recording. ``outcome`` and ``response`` are choices' ids, empty where nothing was chosen.

    ``score`` is tenths of a percent (0 to 1000) of the evaluation that was changed last, None where there is none or
    none of its questions applied. ``version`` counts the changes; 0 says that nobody has marked anything yet.
    """

    recording_id: str
    outcome: str = ""
    response: str = ""
    flag: Flag = Flag.NONE
    tag: str = ""
    evaluated: bool = False
    score: int | None = None
    evaluated_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """A note on a recording; ``at_ms`` is the place that it is about, None for the whole.

    ``account_id`` is whose it is, empty for one that a program or the command line wrote.
    """

    id: str
    recording_id: str
    at_ms: int | None
    text: str
    author: str
    at: datetime
    account_id: str = ""
    colour: Flag = Flag.NONE
    changed_at: datetime | None = None
