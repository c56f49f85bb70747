"""The consent IVR as a state machine: what the caller did goes in, what to play next or how it ended comes out.

No answer means no: only the key 1 ever ends in *given*. A wrong key or silence puts the question again, a short
prompt first, until :attr:`ConsentNumber.tries` are used up. A key counts whenever it comes, also during a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pbx_plugin.domain.rulebook import ConsentNumber

KEY_YES = "1"
KEY_NO = "2"


class Prompt(StrEnum):
    """What the IVR can say. The question stands for the consent number's own greeting."""

    QUESTION = "consent"
    AGAIN_SILENCE = "again-silence"
    AGAIN_WRONG = "again-wrong"
    THANKS_YES = "thanks-yes"
    THANKS_NO = "thanks-no"


class Outcome(StrEnum):
    """How the asking ended. Only GIVEN lifts the requirement, only REFUSED sticks as a refusal."""

    GIVEN = "given"
    REFUSED = "refused"
    SILENT = "silent"
    WRONG_KEY = "wrong key"
    HUNG_UP = "hung up"
    NOT_ASKED = "not asked"
    """The question could not be played, so that no answer to it can mean anything."""


@dataclass(frozen=True, slots=True)
class Digit:
    """The caller pressed one key, during the prompt or after it."""

    key: str


@dataclass(frozen=True, slots=True)
class Silence:
    """The prompt ended and the wait after it passed without a key."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller is gone."""


@dataclass(frozen=True, slots=True)
class PlayFailed:
    """The prompt could not be played, and the caller is still there."""


Event = Digit | Silence | HungUp | PlayFailed


@dataclass(frozen=True, slots=True)
class Play:
    """Play ``prompt`` and then wait ``wait_ms`` for one key; a key during the prompt cuts it short."""

    prompt: Prompt
    wait_ms: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The asking is over. ``keys`` are all keys pressed, in order, the deciding one last."""

    outcome: Outcome
    keys: str


Command = Play | Finish


@dataclass(frozen=True, slots=True)
class Asking:
    """Where the asking stands. ``attempt`` counts how often the question was put, from 1."""

    tries: int
    timeout_ms: int
    attempt: int = 1
    playing: Prompt = Prompt.QUESTION
    keys: str = ""
    outcome: Outcome | None = None


def start(number: ConsentNumber) -> tuple[Asking, tuple[Command, ...]]:
    """Begin with the question. A number with fewer than one try still asks once."""
    return _ask(Asking(tries=number.tries, timeout_ms=max(0, number.timeout_ms)))


def advance(state: Asking, event: Event) -> tuple[Asking, tuple[Command, ...]]:
    """Return the next state and what to do. After the end every event is ignored, and nothing is to be done."""
    if state.outcome is not None:
        return state, ()
    match event:
        case Digit(key):
            return _pressed(replace(state, keys=state.keys + key), key)
        case HungUp():
            return _finish(state, Outcome.HUNG_UP)
        case Silence() | PlayFailed() if state.playing is not Prompt.QUESTION:
            return _ask(state)
        case PlayFailed():
            return _finish(state, Outcome.NOT_ASKED)
        case Silence():
            return _again(state, Prompt.AGAIN_SILENCE, Outcome.SILENT)


def _pressed(state: Asking, key: str) -> tuple[Asking, tuple[Command, ...]]:
    if key == KEY_YES:
        return _finish(state, Outcome.GIVEN)
    if key == KEY_NO:
        return _finish(state, Outcome.REFUSED)
    return _again(state, Prompt.AGAIN_WRONG, Outcome.WRONG_KEY)


def _ask(state: Asking) -> tuple[Asking, tuple[Command, ...]]:
    return replace(state, playing=Prompt.QUESTION), (Play(Prompt.QUESTION, state.timeout_ms),)


def _again(state: Asking, first: Prompt, last: Outcome) -> tuple[Asking, tuple[Command, ...]]:
    if state.attempt >= state.tries:
        return _finish(state, last)
    return replace(state, attempt=state.attempt + 1, playing=first), (Play(first, 0),)


def _finish(state: Asking, outcome: Outcome) -> tuple[Asking, tuple[Command, ...]]:
    return replace(state, outcome=outcome), (Finish(outcome, state.keys),)
