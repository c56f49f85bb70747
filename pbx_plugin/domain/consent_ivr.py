"""The consent IVR as a state machine: what the caller did goes in, what to play next or how it ended comes out.

No answer means no: only the key 1 ever ends in *given*. A wrong key or silence puts the question again, a short
prompt first, until :attr:`ConsentNumber.tries` are used up. A key counts whenever it comes, also during a prompt.

A number with keys for languages offers them first ("For English, press 9."), each in its own language. Such a key puts
the question in that language, then and later, no more often than there are tries. While the languages are offered the
question has not been heard, so that no other key answers it: it is put.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pbx_plugin.domain.rulebook import ConsentNumber

KEY_YES = "1"
KEY_NO = "2"


class Prompt(StrEnum):
    """What the IVR can say. The question stands for the consent number's own greeting."""

    LANGUAGE = "language"
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
    """Play ``prompt`` and then wait ``wait_ms`` for one key; a key during the prompt cuts it short.

    ``key`` is the one that :attr:`Prompt.LANGUAGE` names.
    """

    prompt: Prompt
    wait_ms: int
    language: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """The asking is over. ``keys`` are all keys pressed, in order, the deciding one last."""

    outcome: Outcome
    keys: str


Command = Play | Finish


@dataclass(frozen=True, slots=True)
class Asking:
    """Where the asking stands. ``attempt`` counts how often the question was put, from 1, without the times that it
    was put because a language was chosen (``choices``). ``offers`` are keys and languages still to be offered."""

    tries: int
    timeout_ms: int
    language: str
    keys_of: tuple[tuple[str, str], ...] = ()
    offers: tuple[tuple[str, str], ...] = ()
    attempt: int = 1
    choices: int = 0
    playing: Prompt = Prompt.QUESTION
    keys: str = ""
    outcome: Outcome | None = None


LAST_OFFER_MS = 1500
"""Wait after the last language that is offered, for those who reach for the key only then."""


def start(
    number: ConsentNumber, language: str = "", by_key: tuple[tuple[str, str], ...] | None = None
) -> tuple[Asking, tuple[Command, ...]]:
    """Begin with the languages to choose from, or with the question. A number with fewer than one try asks once.

    ``language`` is the one to begin in, without it the number's own; ``by_key`` are keys and languages that can be
    offered, without it the number's. The keys for yes and no never choose a language.
    """
    spoken = language or number.language
    wanted = number.by_key if by_key is None else by_key
    keys = tuple((key, tongue) for key, tongue in wanted if key not in (KEY_YES, KEY_NO))
    offers = tuple((key, tongue) for key, tongue in keys if tongue[:2] != spoken[:2])
    return _offer(Asking(number.tries, max(0, number.timeout_ms), spoken, keys, offers))


def advance(state: Asking, event: Event) -> tuple[Asking, tuple[Command, ...]]:
    """Return the next state and what to do. After the end every event is ignored, and nothing is to be done."""
    if state.outcome is not None:
        return state, ()
    match event:
        case Digit(key):
            return _pressed(replace(state, keys=state.keys + key), key)
        case HungUp():
            return _finish(state, Outcome.HUNG_UP)
        case Silence() | PlayFailed() if state.playing is Prompt.LANGUAGE:
            return _offer(state)
        case Silence() | PlayFailed() if state.playing is not Prompt.QUESTION:
            return _ask(state)
        case PlayFailed():
            return _finish(state, Outcome.NOT_ASKED)
        case Silence():
            return _again(state, Prompt.AGAIN_SILENCE, Outcome.SILENT)


def _pressed(state: Asking, key: str) -> tuple[Asking, tuple[Command, ...]]:
    chosen = dict(state.keys_of).get(key)
    if chosen and state.choices < max(1, state.tries):
        return _ask(replace(state, language=chosen, choices=state.choices + 1))
    if state.playing is Prompt.LANGUAGE:
        return _ask(state)
    if key == KEY_YES:
        return _finish(state, Outcome.GIVEN)
    if key == KEY_NO:
        return _finish(state, Outcome.REFUSED)
    return _again(state, Prompt.AGAIN_WRONG, Outcome.WRONG_KEY)


def _offer(state: Asking) -> tuple[Asking, tuple[Command, ...]]:
    if not state.offers:
        return _ask(state)
    (key, language), *rest = state.offers
    offered = Play(Prompt.LANGUAGE, 0 if rest else LAST_OFFER_MS, language, key)
    return replace(state, playing=Prompt.LANGUAGE, offers=tuple(rest)), (offered,)


def _ask(state: Asking) -> tuple[Asking, tuple[Command, ...]]:
    return replace(state, playing=Prompt.QUESTION), (Play(Prompt.QUESTION, state.timeout_ms, state.language),)


def _again(state: Asking, first: Prompt, last: Outcome) -> tuple[Asking, tuple[Command, ...]]:
    if state.attempt >= state.tries:
        return _finish(state, last)
    return replace(state, attempt=state.attempt + 1, playing=first), (Play(first, 0, state.language),)


def _finish(state: Asking, outcome: Outcome) -> tuple[Asking, tuple[Command, ...]]:
    return replace(state, outcome=outcome), (Finish(outcome, state.keys),)
