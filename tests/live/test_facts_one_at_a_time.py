"""A call that is recorded, and the same call with a single fact changed, by commands and by what the channels show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from stage import Stage, hang_up, talk

from pbx_plugin.sandbox.site_people import WHITELISTED_DDI, WHITELISTED_USER, ddi_of
from pbx_plugin.settings import CONFIG_VARIABLE

IN_FORCE_S = 2.5
"""The recorder looks for changes once a second."""
USER = "201"


@dataclass(frozen=True)
class Changed:
    """What is done before the call and undone after it, how the call differs, and what must be decided."""

    do: str = ""
    undo: str = ""
    number: str = ddi_of(USER)
    user: str = USER
    verdict: tuple[str, int] = ("record", 10)


CHANGES = {
    "nothing": Changed(),
    "the caller is excluded, typed nationally": Changed(
        "exclude add {national}", "exclude remove {national}", verdict=("never", 2)
    ),
    "the caller's prefix is excluded": Changed(
        "exclude add +45312 --prefix", "exclude remove +45312 --prefix", verdict=("never", 2)
    ),
    "the user is picked into the excluded list": Changed(
        "exclude add --user 201", "exclude remove 201 --user", verdict=("never", 2)
    ),
    "the user is not enrolled": Changed("users enrol 201 --undo", "users enrol 201", verdict=("never", 5)),
    "the user's mode is never": Changed(
        "users set 201 --mode never", "users set 201 --mode always", verdict=("never", 5)
    ),
    "the user's mode is on demand": Changed(
        "users set 201 --mode on-demand", "users set 201 --mode always", verdict=("armed", 12)
    ),
    "recording is switched off": Changed("policy off", "policy on", verdict=("never", 6)),
    "another user's whitelisted number is called": Changed(
        number=WHITELISTED_DDI, user=WHITELISTED_USER, verdict=("record", 7)
    ),
}


def command(stage: Stage, words: str) -> object:
    """Run one command as the administrator does; what it says as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "pbx_plugin.cli.main", *words.split(), "--json"],
        env={**os.environ, CONFIG_VARIABLE: str(stage.site.config_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def with_change(stage: Stage, change: Changed, national: str) -> Iterator[None]:
    if change.do:
        command(stage, change.do.format(national=national))
        talk(IN_FORCE_S)
    try:
        yield
    finally:
        if change.undo:
            command(stage, change.undo.format(national=national))
            talk(IN_FORCE_S)


@pytest.mark.parametrize("name", CHANGES)
def test_one_fact_makes_the_difference(stage: Stage, name: str) -> None:
    change = CHANGES[name]
    stage.from_now()
    stage.phone(change.user)
    caller = stage.outside(f"caller {name}")
    number = caller.config.caller
    with with_change(stage, change, number.removeprefix("+45")):
        leg = caller.dial(change.number)
        leg.wait("CONFIRMED")
        decision = stage.decided(number, change.user)
        if change.verdict[0] == "record":
            stage.recording_now(number)
        talk(2)
        hang_up(leg)
        call = stage.settled(number)
    assert (decision.verdict, decision.rule) == change.verdict
    if change.verdict[0] == "record":
        (recording,) = call.recordings
        assert recording.deletable_by_hand is (change.verdict[1] != 7)
        stage.assert_sides(recording, change.user, f"caller {name}")
    else:
        assert call.recordings == ()
        stage.assert_nowhere(f"caller {name}")
    told = command(stage, f"explain {call.call.call_id}")
    assert str(change.verdict[1]) in json.dumps(told)


def test_an_emergency_call_is_not_announced_not_recorded_and_gets_through(stage: Stage) -> None:
    stage.from_now()
    stage.world()
    leg = stage.phone("202").dial("112")
    leg.wait("CONFIRMED")
    decision = stage.decided("112", "202")
    talk(2)
    hang_up(leg)
    call = stage.settled("112")
    assert (decision.verdict, decision.rule) == ("never", 1)
    assert call.recordings == ()
    assert not [step for step in call.timeline if step.what == "announcement"]
    stage.assert_nowhere("202", "world")


def test_a_caller_without_a_number_is_recorded_like_any_other(stage: Stage) -> None:
    stage.from_now()
    stage.phone("203")
    caller = stage.outside("nameless")
    leg = caller.dial(ddi_of("203"), caller="anonymous")
    leg.wait("CONFIRMED")
    stage.recording_now(ddi_of("203"))
    talk(2)
    hang_up(leg)
    call = stage.settled(ddi_of("203"))
    (recording,) = call.recordings
    assert recording.other_e164 == ""
    stage.assert_sides(recording, "203", "nameless")


@pytest.mark.parametrize(
    "name", ['";DROP TABLE call;--', "${SHELL(id)}", "<script>alert(1)</script>", "../../etc/x", "中\u202e文"]
)
def test_a_hostile_display_name_stays_words(stage: Stage, name: str) -> None:
    stage.from_now()
    stage.phone("203")
    caller = stage.outside("hostile")
    number = stage.fresh_number()
    leg = caller.dial(ddi_of("203"), caller=number, display=name)
    leg.wait("CONFIRMED")
    stage.recording_now(number)
    talk(1)
    hang_up(leg)
    (recording,) = stage.settled(number).recordings
    assert recording.state == "stored"
    assert recording.other_e164 == number
