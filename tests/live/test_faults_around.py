"""What is around the recorder fails while calls are at every moment: Asterisk, the disks, the network, the clock.

Each time: calls go on (unless Asterisk itself is dead), never a refused second on disk, every second that reached the
disk is stored, the rest is a gap with its reason, and nothing is left over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import kinds
import pytest
from disks import small
from moments import Moments
from rules import untold
from stage import Stage, hang_up, talk, wait_for
from wire import Wire, laid_to, networks_may_be_made

from pbx_plugin.sandbox.site_people import ddi_of
from pbx_plugin.sandbox.wrong_clock import WrongClock

__all__ = ["untold"]

pytestmark = pytest.mark.usefixtures("untold")

FULL_S = 4.0
"""What Asterisk could not write while the disk was full is silence at its place, a buffer of two seconds at a time."""

FROZEN_S = 6.0
SHORT_CUT_S, LONG_CUT_S = 5.0, 14.0
HOUR = timedelta(hours=1)
STARTS_WITHIN_S = 90.0
"""On a busy machine a service may take a quarter of a minute and more."""

WITHOUT_WATERMARKS = {"PBX_PLUGIN_RECORDER__DISK_WARN_MB": "0", "PBX_PLUGIN_RECORDER__DISK_STOP_MB": "0"}


# Asterisk


def test_asterisk_killed_what_reached_the_disk_is_stored_and_new_calls_are_recorded(stage: Stage) -> None:
    calls = Moments(stage, asked="1")
    calls.hang_up_leaving()
    killed = time.time()
    stage.site.asterisk.kill()
    calls.all_cut(killed)
    stage.site.asterisk.start()
    listening_again(stage)
    hang_up(*(leg for call in calls.calls.values() for leg in call.legs))
    calls.assert_all_well()
    records(stage)


def test_asterisk_frozen_for_six_seconds(stage: Stage) -> None:
    calls = Moments(stage, asked="1")
    calls.hang_up_leaving()
    asterisk = stage.site.asterisk
    with calls.lasting(silent_s=FROZEN_S + 2):
        asterisk.freeze()
        try:
            time.sleep(FROZEN_S)
        finally:
            asterisk.thaw()
        listening_again(stage)
        talk(3)
    calls.go_on()
    calls.assert_all_well(silent_s=FROZEN_S + 1)


# Disks


def test_spool_and_archive_full_and_room_again(stage: Stage) -> None:
    spool = stage.site.spool / "pbxrec"
    spool.mkdir(mode=0o750, exist_ok=True)
    with ExitStack() as ends:
        archive = ends.enter_context(small(stage.site.archive, 30))
        disk = ends.enter_context(small(spool, 12))
        ends.enter_context(restarted_recorder(stage, extra=WITHOUT_WATERMARKS))
        calls = Moments(stage, asked="1")
        archive.fill()
        calls.hang_up_leaving()
        with calls.lasting():
            wait_for(lambda: "waits in the spool" in stage.site.recorder.said(), "a full archive to be told", 10)
            disk.fill()
            if disk.real:
                wait_for(lambda: "Asterisk ended the recording" in gaps_of(stage), "a full spool to be told", 15)
            talk(2)
            disk.make_room()
            archive.make_room()
        calls.go_on()
        calls.assert_all_well(silent_s=FULL_S)
    records(stage)


def gaps_of(stage: Stage) -> str:
    """What the recorder complained of."""
    return "\n".join(line for line in stage.site.recorder.said().splitlines() if "not recorded" in line)


# The network


@pytest.fixture(scope="module")
def wire(stage: Stage) -> Iterator[Wire]:
    """A wire between the recorder and Asterisk, for the tests that ask for it."""
    with laid_to(stage.site.ports.http) as laid:
        yield laid


@pytest.fixture
def behind_wire(stage: Stage, wire: Wire) -> Iterator[Wire]:
    with restarted_recorder(stage, within=wire.within, extra=wire.environment):
        yield wire


def test_the_wire_is_a_real_one_wherever_networks_may_be_made(wire: Wire) -> None:
    assert wire.apart == networks_may_be_made()
    assert wire.apart or os.geteuid() != 0 or "CI" not in os.environ, "as root, iproute2 makes it a real one"


def test_the_network_is_cut_for_a_moment_and_for_longer(stage: Stage, behind_wire: Wire) -> None:
    calls = Moments(stage, asked="1")
    with calls.lasting():
        with behind_wire.cut():
            calls.hang_up_leaving()
            talk(SHORT_CUT_S)
        talk(4)
        with behind_wire.cut():
            talk(LONG_CUT_S)
        listening_again(stage)
    calls.go_on()
    calls.assert_all_well()


def test_connections_are_dropped_and_refused(stage: Stage, behind_wire: Wire) -> None:
    calls = Moments(stage, asked="1")
    with calls.lasting():
        with behind_wire.dropped():
            calls.hang_up_leaving()
            talk(3)
        listening_again(stage)
    calls.go_on()
    calls.assert_all_well()


@pytest.mark.parametrize("seconds", [SHORT_CUT_S, LONG_CUT_S])
def test_what_people_do_while_the_network_is_cut_is_never_recorded_against_them(
    stage: Stage, behind_wire: Wire, seconds: float
) -> None:
    """One takes consent back, one is transferred to a user who is never recorded, a third refuses: all unheard."""
    name = f"{seconds:.0f} s"
    stage.from_now()
    for extension in ("221", "239"):
        kinds.ready(stage, extension)
    taken_back = kinds.called(stage, "202", f"takes it back in {name}")
    sent_on = kinds.called(stage, "203", "sent on")
    for call, user in ((taken_back, "202"), (sent_on, "203")):
        stage.recording_now(call.number)
        stage.decided(call.number, user)
    refuses = stage.outside(f"refuses in {name}")
    talk(3)
    with behind_wire.cut():
        began = time.monotonic()
        talk(0.5)
        taken_back.user.dtmf("*6")
        pressed = time.time()
        sent_on.user.transfer("221")
        refused = refuses.dial(ddi_of("703"))
        refused.wait("CONFIRMED")
        talk(0.5)
        refused.dtmf("2")
        with_239 = stage.phone("239").wait_incoming(10)
        with_239.wait("CONFIRMED")
        talk(max(1.0, seconds - (time.monotonic() - began)))
    decision = stage.decided(refuses.config.caller, "239", 30)
    assert decision.verdict == "never"
    wait_for(lambda: "withdrawal" in steps_of(stage, taken_back.number), "the withdrawal to be found", 15)
    stage.decided(sent_on.number, "221")
    talk(1)
    hang_up(taken_back.caller, sent_on.caller, refused)
    (kept,) = stage.settled(taken_back.number).recordings
    assert kept.state == "stored"
    assert kept.in_at is not None
    assert kept.in_at.timestamp() + kept.length_ms / 1000 <= pressed + 0.5
    (kept,) = stage.settled(sent_on.number).recordings
    stage.assert_sides(kept, "203", "sent on")
    assert stage.settled(refuses.config.caller).recordings == ()
    stage.assert_nothing_left()
    stage.assert_nowhere("221", "239", refuses.name)


def steps_of(stage: Stage, number: str) -> list[str]:
    found = stage.call(number)
    return [step.what for step in found.timeline] if found else []


# The clock


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> WrongClock:
    """A clock that can be set without touching the machine's."""
    return WrongClock(tmp_path_factory.mktemp("clock"))


@pytest.mark.parametrize(
    ("by", "asterisk"), [(-HOUR, True), (HOUR, False)], ids=["the machine's back", "the recorder's alone forward"]
)
def test_a_clock_is_set_by_an_hour_and_right_again(
    stage: Stage, clock: WrongClock, by: timedelta, asterisk: bool
) -> None:
    """Right again before anybody presses a key for the second time: by a clock that was set back Asterisk itself takes
    no second key of a phone, because the first lies in the future."""
    said = stage.site.recorder.said
    with told_by(stage, clock, asterisk=asterisk):
        calls = Moments(stage, asked="1")
        calls.hang_up_leaving()
        with calls.lasting():
            clock.set_off(by)
            wait_for(lambda: said().count("clock was set") == 1, "the recorder to notice", 15)
            calls.answer()
            talk(2)
            clock.set_off(timedelta())
            wait_for(lambda: said().count("clock was set") == 2, "the recorder to notice", 15)
            talk(1)
        calls.go_on()
        calls.assert_all_well()
        assert_in_order(stage, calls)


@contextmanager
def told_by(stage: Stage, clock: WrongClock, *, asterisk: bool) -> Iterator[None]:
    """Have the recorder, and all that stands on Asterisk's machine, go by this clock."""
    site = stage.site
    with ExitStack() as ends:
        ends.callback(clock.set_off, timedelta())
        if asterisk:
            for one in (site.asterisk, site.agi):
                one.stop()
                one.extra = dict(clock.environment)
                one.start()
            site.agi.wait_ready(STARTS_WITHIN_S)
        ends.enter_context(restarted_recorder(stage, extra=clock.environment))
        try:
            yield
        finally:
            clock.set_off(timedelta())
            if asterisk:
                for one in (site.asterisk, site.agi):
                    one.stop()
                    one.extra = {}
                    one.start()
                site.agi.wait_ready(STARTS_WITHIN_S)


def assert_in_order(stage: Stage, calls: Moments) -> None:
    """Assert that nothing ends before it began, and that all of a call's steps and segments are in order."""
    media = []
    for call in calls.calls.values():
        found = stage.settled(call.number)
        assert found.call.ended_at is not None
        assert timedelta() < found.call.ended_at - found.call.began_at < timedelta(minutes=3)
        steps = [step.at for step in found.timeline]
        assert steps == sorted(steps)
        for recording in found.recordings:
            assert recording.in_at is not None
            assert recording.closed_at is not None
            assert found.call.began_at <= recording.at <= recording.in_at < recording.closed_at
            assert all(consent.at <= recording.in_at for consent in found.consents)
        ends = [(r.in_at, r.closed_at) for r in found.recordings]
        assert ends == sorted(ends)
        assert all(gap.until and gap.since <= gap.until for gap in found.gaps)
        media += [recording.path for recording in found.recordings]
    assert len(set(media)) == len(media)


# What all have in common


@contextmanager
def restarted_recorder(
    stage: Stage, *, within: tuple[str, ...] = (), extra: dict[str, str] | None = None
) -> Iterator[None]:
    """Run the recorder in another place or with another environment; the usual one runs again after."""
    recorder = stage.site.recorder

    def run(within: tuple[str, ...], extra: dict[str, str]) -> None:
        recorder.stop()
        recorder.within, recorder.extra = within, extra
        recorder.start()
        recorder.wait_ready(STARTS_WITHIN_S)
        talk(1)

    try:
        run(within, extra or {})
        yield
    finally:
        run((), {})


def listening_again(stage: Stage) -> None:
    """Wait until the recorder has noticed that it was deaf, and hears again."""
    limits = stage.site.settings.recorder
    wait_for(
        lambda: "listening to Asterisk" in stage.site.recorder.said().rpartition("connection to Asterisk is lost")[2],
        "the recorder to listen again",
        limits.heartbeat + limits.heartbeat_patience + 30,
    )


def records(stage: Stage) -> None:
    """Assert that a new call is recorded."""
    stage.from_now()
    phone = kinds.ready(stage, "201")
    stage.phone("229")
    leg = phone.dial("229")
    leg.wait("CONFIRMED")
    stage.recording_now("201")
    talk(2)
    hang_up(leg)
    (recording,) = stage.settled("201").recordings
    stage.assert_sides(recording, "201", "229")
    stage.assert_nothing_left()
