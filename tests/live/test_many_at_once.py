"""A busy moment: calls of all kinds at once on one Asterisk. Each is decided by itself, and nobody hears another's.

Of the recorded calls no two have the same pair of voices; whoever may not be recorded has a voice that nobody has who
may.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from kinds import closed, ready, recorded
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.domain.losses import LATE
from pbx_plugin.sandbox.listening import assert_side
from pbx_plugin.sandbox.phone import Leg, Phone
from pbx_plugin.sandbox.phone_wire import MAX_CALLS
from pbx_plugin.sandbox.signals import VOICES, Voice, write_voice
from pbx_plugin.sandbox.site_config import TRUNK_HOST
from pbx_plugin.sandbox.site_people import RESIDENTS, WHITELISTED_DDI, WHITELISTED_USER, ddi_of

CODE = "*4"
EVERYBODY = tuple(one.extension for one in RESIDENTS)
TALK_S = 5.0
ALL_THERE_S = 60.0

# The first voice is that of the world outside, the last that of music on hold.
UNRECORDED_CALLERS, UNRECORDED_USERS, REFUSERS, FREE = VOICES[0], VOICES[1], VOICES[2:5], VOICES[5:-1]


@dataclass(frozen=True)
class Segment:
    """A recording that must be there: whose, and who is on which side."""

    user: str
    left: Voice
    right: Voice
    keys_s: float = 0.5


@dataclass(frozen=True)
class Outcome:
    """What came of a call, and what had to."""

    call: CallDetail
    segments: tuple[Segment, ...] = ()
    rules: tuple[tuple[str, int], ...] = ()
    """Users and the rule of the last decision for each."""


class Crowd:
    """Many callers outside, each with a number and a voice of its own, on as few phones as can carry them."""

    def __init__(self, stage: Stage, folder: Path, scenes: int) -> None:
        self.stage = stage
        self.in_all = ""
        self._folder = folder
        self._ends = ExitStack()
        self._lock = threading.Lock()
        self._places = iter([phone for phone in self._lines(scenes) for _ in range(MAX_CALLS)])
        self._barrier = threading.Barrier(scenes, action=self._count)
        self.busy = {user: threading.Event() for user in EVERYBODY}

    def _lines(self, callers: int) -> list[Phone]:
        return [
            self._ends.enter_context(
                Phone.start(f"line {number}", address=TRUNK_HOST, server=self.stage.server, caller="+4531200000")
            )
            for number in range(-(-callers // MAX_CALLS))
        ]

    def _count(self) -> None:
        self.in_all = self.stage.site.asterisk.rx("core show channels count")

    def voice_file(self, voice: Voice) -> Path:
        with self._lock:
            path = self._folder / f"{voice.name}.wav"
            return path if path.exists() else write_voice(path, voice, seconds=20)

    def user(self, extension: str, voice: Voice, *, answers: bool = True) -> Phone:
        return self.stage.phone(extension, answers=answers, signal=self.voice_file(voice))

    def dial(self, number: str, voice: Voice) -> tuple[str, Leg]:
        with self._lock:
            phone, caller = next(self._places), self.stage.fresh_number()
        return caller, phone.dial(number, caller=caller, signal=self.voice_file(voice))

    def together(self) -> None:
        """Go on when all scenes have come so far."""
        self._barrier.wait(ALL_THERE_S)

    def gave_up(self) -> None:
        """Let nobody wait for a scene that went wrong."""
        self._barrier.abort()

    def close(self) -> None:
        self._ends.close()


def answered(crowd: Crowd, number: str, user: str, voice: Voice, keys: str = "") -> tuple[str, Leg, Leg]:
    """Somebody calls, presses keys when asked, and talks to a user."""
    phone = ready(crowd.stage, user)
    caller, leg = crowd.dial(number, voice)
    if keys:
        leg.wait("CONFIRMED")
        talk(1.0)
        leg.dtmf(keys)
    mine = phone.wait_incoming(25.0)
    mine.wait("CONFIRMED")
    leg.wait("CONFIRMED")
    phone.auto_off()
    crowd.busy[user].set()
    return caller, leg, mine


@dataclass(frozen=True)
class Pair:
    """Who talks: the caller's voice and the user's."""

    caller: Voice
    user: Voice


def plain(crowd: Crowd, number: str, user: str, pair: Pair, rule: int, keys: str = "") -> Outcome:
    """Recorded from beginning to end."""
    caller, leg, _ = answered(crowd, number, user, pair.caller, keys)
    recorded(crowd.stage, caller, user)
    crowd.together()
    talk(TALK_S)
    hang_up(leg)
    return Outcome(crowd.stage.settled(caller), (Segment(user, pair.user, pair.caller),), ((user, rule),))


def unrecorded(crowd: Crowd, number: str, user: str, voice: Voice, rule: int, keys: str = "") -> Outcome:
    """Not a second of it is recorded."""
    caller, leg, mine = answered(crowd, number, user, voice, keys)
    crowd.stage.decided(caller, user)
    crowd.together()
    mine.dtmf(CODE)
    talk(TALK_S)
    hang_up(leg)
    return Outcome(crowd.stage.settled(caller), (), ((user, rule),))


def toggled(crowd: Crowd, user: str, pair: Pair) -> Outcome:
    """On, off, on: while everybody talks."""
    caller, leg, mine = answered(crowd, ddi_of(user), user, pair.caller)
    crowd.stage.decided(caller, user)
    mine.dtmf(CODE)
    recorded(crowd.stage, caller, user)
    crowd.together()
    talk(TALK_S / 2)
    mine.dtmf(CODE)
    closed(crowd.stage, caller, user)
    talk(1.0)
    mine.dtmf(CODE)
    recorded(crowd.stage, caller, user, 2)
    talk(TALK_S / 2)
    hang_up(leg)
    one = Segment(user, pair.user, pair.caller, keys_s=1.0)
    return Outcome(crowd.stage.settled(caller), (one, one), ((user, 12),))


def transferred(crowd: Crowd, user: str, other: str, pair: Pair, others: Voice) -> Outcome:
    """Blind, by the phone, while everybody talks."""
    caller, leg, mine = answered(crowd, ddi_of(user), user, pair.caller)
    recorded(crowd.stage, caller, user)
    crowd.together()
    talk(TALK_S / 2)
    target = ready(crowd.stage, other, answers=False)
    mine.transfer(other)
    target.wait_incoming().answer()
    recorded(crowd.stage, caller, other)
    talk(TALK_S / 2)
    hang_up(leg)
    segments = Segment(user, pair.user, pair.caller), Segment(other, others, pair.caller)
    return Outcome(crowd.stage.settled(caller), segments, ((user, 10), (other, 10)))


def going_out(crowd: Crowd, user: str, rule: int) -> Outcome:
    """A user who is not recorded calls out."""
    number = crowd.stage.fresh_number()
    leg = crowd.stage.phone(user, answers=False).dial(number)
    leg.wait("CONFIRMED")
    crowd.stage.decided(number, user)
    crowd.together()
    talk(TALK_S)
    hang_up(leg)
    return Outcome(crowd.stage.settled(number), (), ((user, rule),))


def internal(crowd: Crowd, user: str, other: str, pair: Pair) -> Outcome:
    """A user on demand calls one who is always recorded."""
    ready(crowd.stage, other)
    leg = crowd.stage.phone(user, answers=False).dial(other)
    leg.wait("CONFIRMED")
    recorded(crowd.stage, user, other)
    crowd.together()
    talk(TALK_S)
    hang_up(leg)
    segment = Segment(other, pair.user, pair.caller)
    return Outcome(crowd.stage.settled(user), (segment,), ((user, 12), (other, 10)))


def in_vain(crowd: Crowd, user: str) -> Outcome:
    """A caller whom nobody answers: the user talks already."""
    assert crowd.busy[user].wait(ALL_THERE_S)
    caller, leg = crowd.dial(ddi_of(user), UNRECORDED_CALLERS)
    leg.wait("EARLY")
    crowd.together()
    talk(TALK_S)
    hang_up(leg)
    return Outcome(crowd.stage.settled(caller))


PAIRS = tuple(Pair(FREE[n], FREE[(n + 7) % len(FREE)]) for n in range(len(FREE)))
SPARE = PAIRS[-1].user
DIRECT = {user: PAIRS[n] for n, user in enumerate(("201", "202", "241", "242", "243", "245"))}
SILENT_USERS = {"221": 5, "222": 5, "229": 5}
TOGGLED = {"211": PAIRS[6], "212": PAIRS[7]}
REFUSED = {"237": ("702", REFUSERS[0]), "239": ("703", REFUSERS[1]), "233": ("701", REFUSERS[2])}
ASKED = {"231": ("701", PAIRS[8]), "235": ("702", PAIRS[9]), "244": ("704", PAIRS[10])}
TRANSFERRED, INTERNAL, WHITELISTED = PAIRS[11], PAIRS[12], PAIRS[13]
RINGING = ("232", "234", "236", "238")
"""Phones beside those that are to answer, in their groups."""

SCENES: dict[str, Callable[[Crowd], Outcome]] = {
    **{
        f"direct {user}": partial(plain, number=ddi_of(user), user=user, pair=pair, rule=10)
        for user, pair in DIRECT.items()
    },
    **{
        f"never {user}": partial(unrecorded, number=ddi_of(user), user=user, voice=UNRECORDED_CALLERS, rule=rule)
        for user, rule in SILENT_USERS.items()
    },
    **{f"toggled {user}": partial(toggled, user=user, pair=pair) for user, pair in TOGGLED.items()},
    **{
        f"asked {user}": partial(plain, number=ddi_of(number), user=user, pair=pair, rule=9, keys="1")
        for user, (number, pair) in ASKED.items()
    },
    **{
        f"refused {user}": partial(unrecorded, number=ddi_of(number), user=user, voice=voice, rule=3, keys="2")
        for user, (number, voice) in REFUSED.items()
    },
    "whitelisted": partial(plain, number=WHITELISTED_DDI, user=WHITELISTED_USER, pair=WHITELISTED, rule=7),
    "transferred": partial(transferred, user="203", other="234", pair=TRANSFERRED, others=SPARE),
    "internal": partial(internal, user="236", other="238", pair=INTERNAL),
    "out 223": partial(going_out, user="223", rule=5),
    "out 232": partial(going_out, user="232", rule=12),
    **{f"in vain {user}": partial(in_vain, user=user) for user in ("201", "202", "245")},
}


def people(crowd: Crowd) -> Iterator[Callable[[], Phone]]:
    """Each user's phone with its voice."""
    recorded_users = (
        DIRECT | TOGGLED | {user: pair for user, (_, pair) in ASKED.items()} | {"203": TRANSFERRED, "238": INTERNAL}
    )
    voices = {user: pair.user for user, pair in recorded_users.items()}
    voices |= {WHITELISTED_USER: WHITELISTED.user, "234": SPARE, "236": INTERNAL.caller}
    voices |= dict.fromkeys((*SILENT_USERS, *REFUSED, "223", "232"), UNRECORDED_USERS)
    for user, voice in voices.items():
        yield partial(crowd.user, user, voice, answers=user not in RINGING)


@pytest.fixture(scope="module")
def crowd(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    stage.world()
    made = Crowd(stage, tmp_path_factory.mktemp("voices"), len(SCENES))
    with ThreadPoolExecutor(4) as starting:
        for phone in [starting.submit(start) for start in people(made)]:
            phone.result()
    yield made
    made.close()


@pytest.fixture(scope="module")
def outcomes(crowd: Crowd) -> dict[str, Future[Outcome]]:
    crowd.stage.from_now()

    def play(scene: Callable[[Crowd], Outcome]) -> Outcome:
        try:
            return scene(crowd)
        except BaseException:
            crowd.gave_up()
            raise

    with ThreadPoolExecutor(len(SCENES)) as pool:
        return {name: pool.submit(play, scene) for name, scene in SCENES.items()}


def test_all_of_them_were_there_at_once(outcomes: dict[str, Future[Outcome]], crowd: Crowd) -> None:
    assert len(outcomes) >= 24
    channels = int(crowd.in_all.split()[0])
    assert channels >= 2 * len(outcomes), crowd.in_all


@pytest.mark.parametrize("name", SCENES)
def test_each_call_is_decided_and_recorded_by_itself(
    outcomes: dict[str, Future[Outcome]], stage: Stage, name: str
) -> None:
    outcome = outcomes[name].result()
    call = outcome.call
    assert [one.extension for one in call.recordings] == [one.user for one in outcome.segments]
    for recording, segment in zip(call.recordings, outcome.segments, strict=True):
        assert recording.state == "stored", recording.fail_reason
        sides = (segment.left, segment.right)
        path, end = stage.file(recording), recording.length_ms / 1000
        for channel, who in enumerate(sides if recording.user_side == "left" else sides[::-1]):
            assert_side(path, channel, who, 0.25, end - segment.keys_s)
    for user, rule in outcome.rules:
        last = [decision.rule for decision in call.decisions if decision.facts["user"]["extension"] == user]
        assert last[-1] == rule
    # When so many are answered in one second on a busy machine, a recording may begin late: that is told, and enough.
    assert [gap.reason for gap in call.gaps if gap.reason != LATE] == []


def test_who_may_not_be_recorded_is_nowhere(outcomes: dict[str, Future[Outcome]], stage: Stage) -> None:
    assert outcomes
    refusers = {f"refuser {n}": voice for n, voice in enumerate(REFUSERS)}
    stage.assert_unheard({"callers": UNRECORDED_CALLERS, "users": UNRECORDED_USERS, **refusers})


def test_nothing_is_left_behind(outcomes: dict[str, Future[Outcome]], stage: Stage) -> None:
    assert outcomes
    stage.assert_nothing_left()


def test_no_two_recorded_calls_have_the_same_pair_of_voices() -> None:
    used = [*DIRECT.values(), *TOGGLED.values(), *(pair for _, pair in ASKED.values())]
    used += [TRANSFERRED, INTERNAL, WHITELISTED]
    assert len({*used, *(Pair(pair.user, pair.caller) for pair in used)}) == 2 * len(used)
    for one, other in itertools.combinations(used, 2):
        assert {one.caller, one.user} != {other.caller, other.user}
