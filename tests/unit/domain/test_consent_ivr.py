"""The consent IVR, told as a caller would: keys, silence, hanging up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.consent_ivr import (
    Asking,
    Command,
    Digit,
    Event,
    Finish,
    HungUp,
    Outcome,
    Play,
    PlayFailed,
    Prompt,
    Silence,
    advance,
    start,
)
from pbx_plugin.domain.rulebook import ConsentNumber

QUESTION = Play(Prompt.QUESTION, 5000)
AGAIN_SILENCE = Play(Prompt.AGAIN_SILENCE, 0)
AGAIN_WRONG = Play(Prompt.AGAIN_WRONG, 0)

WORDS: dict[str, Event] = {"silence": Silence(), "hangs up": HungUp(), "cannot play": PlayFailed()}


def number(tries: int = 3) -> ConsentNumber:
    return ConsentNumber("n", "t", "800", "en", "yes", "no", tries=tries, timeout_ms=5000)


def tell(story: str, tries: int = 3) -> list[Command]:
    """Play a story such as ``7, silence, 1``: keys and the words above, one after each prompt."""
    state, commands = start(number(tries))
    told = list(commands)
    for word in filter(None, story.split(", ")):
        state, commands = advance(state, WORDS.get(word) or Digit(word))
        told += commands
    return told


@pytest.mark.parametrize(
    ("story", "heard"),
    [
        ("1", [QUESTION, Finish(Outcome.GIVEN, "1")]),
        ("2", [QUESTION, Finish(Outcome.REFUSED, "2")]),
        ("hangs up", [QUESTION, Finish(Outcome.HUNG_UP, "")]),
        ("7, silence, 1", [QUESTION, AGAIN_WRONG, QUESTION, Finish(Outcome.GIVEN, "71")]),
        ("7, 1", [QUESTION, AGAIN_WRONG, Finish(Outcome.GIVEN, "71")]),
        ("silence, silence, 2", [QUESTION, AGAIN_SILENCE, QUESTION, Finish(Outcome.REFUSED, "2")]),
        ("silence, hangs up", [QUESTION, AGAIN_SILENCE, Finish(Outcome.HUNG_UP, "")]),
        ("7, 8, 9", [QUESTION, AGAIN_WRONG, AGAIN_WRONG, Finish(Outcome.WRONG_KEY, "789")]),
        ("#, silence, *, silence, 0", [QUESTION, AGAIN_WRONG, QUESTION, AGAIN_WRONG, QUESTION,
                                       Finish(Outcome.WRONG_KEY, "#*0")]),
        ("silence, silence, silence, silence, silence",
         [QUESTION, AGAIN_SILENCE, QUESTION, AGAIN_SILENCE, QUESTION, Finish(Outcome.SILENT, "")]),
        ("7, silence, silence, silence, silence",
         [QUESTION, AGAIN_WRONG, QUESTION, AGAIN_SILENCE, QUESTION, Finish(Outcome.SILENT, "7")]),
        ("cannot play", [QUESTION, Finish(Outcome.NOT_ASKED, "")]),
        ("7, cannot play, 1", [QUESTION, AGAIN_WRONG, QUESTION, Finish(Outcome.GIVEN, "71")]),
        ("7, cannot play, cannot play", [QUESTION, AGAIN_WRONG, QUESTION, Finish(Outcome.NOT_ASKED, "7")]),
    ],
)  # fmt: skip
def test_a_caller_is_asked_and_answers(story: str, heard: list[Command]) -> None:
    assert tell(story) == heard


@pytest.mark.parametrize("tries", [-1, 0, 1])
def test_a_number_with_one_try_or_fewer_asks_once(tries: int) -> None:
    assert tell("silence", tries) == [QUESTION, Finish(Outcome.SILENT, "")]


def test_nothing_changes_a_call_that_has_answered() -> None:
    state, _ = advance(start(number())[0], Digit("2"))
    assert advance(state, Digit("1")) == (state, ())
    assert advance(state, HungUp()) == (state, ())


EVENTS = st.one_of(
    st.sampled_from("0123456789*#ABCD").map(Digit), st.just(Silence()), st.just(HungUp()), st.just(PlayFailed())
)
STORIES = st.lists(EVENTS, max_size=30)


def told(events: list[Event], tries: int) -> tuple[Asking, list[Command], list[Event]]:
    """Return the last state, all commands, and the events that came before the end."""
    state, commands = start(number(tries))
    heard, used = list(commands), []
    for event in events:
        if state.outcome is not None:
            break
        used.append(event)
        state, commands = advance(state, event)
        heard += commands
    return state, heard, used


@given(STORIES, st.integers(-2, 6))
def test_the_question_is_put_no_more_often_than_the_number_allows(events: list[Event], tries: int) -> None:
    _, heard, _ = told(events, tries)
    assert heard.count(QUESTION) <= max(1, tries)
    assert len([command for command in heard if isinstance(command, Play)]) <= 2 * max(1, tries)


@given(st.lists(EVENTS, min_size=13, max_size=30), st.integers(-2, 6))
def test_asking_always_ends_within_two_prompts_a_try(events: list[Event], tries: int) -> None:
    state, heard, used = told(events, tries)
    assert state.outcome is not None
    assert [type(command) for command in heard].count(Finish) == 1
    assert len(used) <= 2 * max(1, tries)


@given(STORIES, st.integers(1, 6))
def test_only_the_key_1_pressed_last_gives_consent(events: list[Event], tries: int) -> None:
    state, _, used = told(events, tries)
    if state.outcome is not None:
        assert (state.outcome is Outcome.GIVEN) == (used[-1] == Digit("1"))
        assert (state.outcome is Outcome.REFUSED) == (used[-1] == Digit("2"))
        assert (state.outcome is Outcome.HUNG_UP) == (used[-1] == HungUp())


@given(STORIES, st.integers(1, 6))
def test_every_key_is_kept_in_order(events: list[Event], tries: int) -> None:
    state, heard, used = told(events, tries)
    pressed = "".join(event.key for event in used if isinstance(event, Digit))
    assert state.keys == pressed
    assert all(command.keys == pressed for command in heard if isinstance(command, Finish))


@given(STORIES, st.integers(1, 6))
def test_while_the_asking_goes_on_there_is_always_one_prompt_to_play(events: list[Event], tries: int) -> None:
    state, commands = start(number(tries))
    for event in events:
        assert len(commands) == (1 if state.outcome is None or commands else 0)
        state, commands = advance(state, event)
        assert bool(commands) == (state.outcome is None or isinstance(commands[0], Finish))
        if state.outcome is not None:
            break
