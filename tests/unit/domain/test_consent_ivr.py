"""The consent IVR, told as a caller would: keys, silence, hanging up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.consent_ivr import (
    LAST_OFFER_MS,
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

QUESTION = Play(Prompt.QUESTION, 5000, "en")
AGAIN_SILENCE = Play(Prompt.AGAIN_SILENCE, 0, "en")
AGAIN_WRONG = Play(Prompt.AGAIN_WRONG, 0, "en")

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


IN_DANISH = Play(Prompt.QUESTION, 5000, "da")
IN_SWEDISH = Play(Prompt.QUESTION, 5000, "sv")
OFFER_DANISH = Play(Prompt.LANGUAGE, 0, "da", "9")
OFFER_SWEDISH = Play(Prompt.LANGUAGE, LAST_OFFER_MS, "sv", "8")


def choose(story: str, language: str = "", tries: int = 3) -> list[Command]:
    """Play a story on an English number where 9 is Danish and 8 is Swedish."""
    chosen = replace(number(tries), by_key=(("9", "da"), ("8", "sv"), ("7", "en")))
    state, commands = start(chosen, language)
    told = list(commands)
    for word in filter(None, story.split(", ")):
        state, commands = advance(state, WORDS.get(word) or Digit(word))
        told += commands
    return told


@pytest.mark.parametrize(
    ("story", "heard"),
    [
        ("silence, silence, 1", [OFFER_DANISH, OFFER_SWEDISH, QUESTION, Finish(Outcome.GIVEN, "1")]),
        ("9, 1", [OFFER_DANISH, IN_DANISH, Finish(Outcome.GIVEN, "91")]),
        ("8, 2", [OFFER_DANISH, IN_SWEDISH, Finish(Outcome.REFUSED, "82")]),
        ("silence, silence, 9, 1", [OFFER_DANISH, OFFER_SWEDISH, QUESTION, IN_DANISH, Finish(Outcome.GIVEN, "91")]),
        # What was not heard cannot be answered.
        ("1, 1", [OFFER_DANISH, QUESTION, Finish(Outcome.GIVEN, "11")]),
        ("2, hangs up", [OFFER_DANISH, QUESTION, Finish(Outcome.HUNG_UP, "2")]),
        ("1, hangs up", [OFFER_DANISH, QUESTION, Finish(Outcome.HUNG_UP, "1")]),
        ("9, 0, silence, 1", [OFFER_DANISH, IN_DANISH, Play(Prompt.AGAIN_WRONG, 0, "da"), IN_DANISH,
                              Finish(Outcome.GIVEN, "901")]),
        ("9, silence, 8, 1", [OFFER_DANISH, IN_DANISH, Play(Prompt.AGAIN_SILENCE, 0, "da"), IN_SWEDISH,
                              Finish(Outcome.GIVEN, "981")]),
        ("cannot play, cannot play, 1", [OFFER_DANISH, OFFER_SWEDISH, QUESTION, Finish(Outcome.GIVEN, "1")]),
        ("hangs up", [OFFER_DANISH, Finish(Outcome.HUNG_UP, "")]),
    ],
)  # fmt: skip
def test_a_caller_chooses_a_language(story: str, heard: list[Command]) -> None:
    assert choose(story) == heard


def test_a_caller_who_is_spoken_to_in_their_country_s_language_is_offered_the_others() -> None:
    offer_english = Play(Prompt.LANGUAGE, LAST_OFFER_MS, "en", "7")
    swedish = [OFFER_DANISH, offer_english, IN_SWEDISH, Finish(Outcome.GIVEN, "1")]
    assert choose("silence, silence, 1", language="sv") == swedish


def test_who_only_ever_chooses_languages_is_not_asked_for_ever() -> None:
    heard = choose("9, 8, 9, 8, 9, 8, 9", tries=2)
    assert heard[-1] == Finish(Outcome.WRONG_KEY, "9898")
    assert len([one for one in heard if isinstance(one, Play) and one.prompt is Prompt.QUESTION]) == 2


@pytest.mark.parametrize("key", ["1", "2"])
def test_the_keys_that_answer_never_choose_a_language(key: str) -> None:
    state, commands = start(replace(number(), by_key=((key, "da"),)))
    assert commands == (QUESTION,)
    assert isinstance(advance(state, Digit(key))[1][0], Finish)


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


MENUS = st.lists(st.tuples(st.sampled_from("034567891"), st.sampled_from(["da", "sv", "en"])), max_size=5)


@given(st.lists(EVENTS | st.sampled_from("12").map(Digit), min_size=1, max_size=30), MENUS, st.integers(-2, 4))
def test_whatever_languages_are_offered_the_asking_ends_and_only_a_heard_question_is_answered(
    events: list[Event], menu: list[tuple[str, str]], tries: int
) -> None:
    state, commands = start(replace(number(tries), by_key=tuple(menu)))
    heard = list(commands)
    for event in events:
        before = state
        state, commands = advance(state, event)
        heard += commands
        if before.outcome is None and state.outcome in (Outcome.GIVEN, Outcome.REFUSED):
            assert before.playing is not Prompt.LANGUAGE
            assert any(isinstance(one, Play) and one.prompt is Prompt.QUESTION for one in heard)
            assert event == Digit("1" if state.outcome is Outcome.GIVEN else "2")
    plays = [one for one in heard if isinstance(one, Play)]
    assert len(plays) <= len(menu) + 3 * max(1, tries)
