"""The core of what is tried on the Asterisk of today, on the old end: Asterisk 16.28, Debian bullseye's.

Scenes and judgements are those of the other files: what holds there must hold here. Only who plays whom is different,
so that many calls fit beside each other. ``pytest tests/live/test_x.py --asterisk 16`` plays any whole file here.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import test_bridged_recording as bridged
import test_call_kinds_attended_transfer as attended
import test_call_kinds_blind_transfer as blind
import test_call_kinds_codecs_and_media as codecs
import test_call_kinds_hold as hold
import test_call_kinds_pickup_parking_conference as pickup
import test_consent as consent
import test_directions_and_modes as directions
import test_pause_and_withdrawal as pausing
import test_services_down as services
import test_toggle as toggle
from rules import apply_policy
from scenes import Played
from stage import Stage

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.listening import tones
from pbx_plugin.sandbox.provision import OLD_END
from pbx_plugin.sandbox.site import Site

Judge = Callable[..., None]
Verdict = tuple[Judge, dict[str, Any]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same company on an old Asterisk, which is fetched if it is not here yet."""
    with Site(tmp_path_factory.mktemp("old"), release=OLD_END) as running:
        yield running


@pytest.fixture(scope="class")
def stage(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Phones and ears for one act: there are not voices enough for both."""
    made = Stage(site, tmp_path_factory.mktemp("stage"))
    yield made
    made.close()


def every(judge: Judge, name: str, *values: object, **same: object) -> list[Verdict]:
    """One judgement, once for each value of a parameter."""
    return [(judge, {name: value, **same}) for value in values]


def told(verdict: Verdict) -> str:
    judge, given = verdict
    return f"{judge.__name__.removeprefix('test_')}-{'-'.join(map(str, given.values()))}"


def hear(verdict: Verdict, calls: Played[CallDetail], stage: Stage) -> None:
    """Let a judgement of another file judge what was played here."""
    judge, given = verdict
    known = {"calls": calls, "stage": stage}
    judge(**{name: known[name] for name in inspect.signature(judge).parameters if name in known}, **given)


YES = ("yes, queue", "yes, ring group")
NO = ("no, queue", "silence, ring group")
DIRECTIONS = {"incoming": "201", "outgoing": "202", "internal": "203"}


def directed(stage: Stage, kind: str) -> CallDetail:
    """A call of a user who is always recorded."""
    return directions.KINDS[kind](stage, DIRECTIONS[kind])


ASKED: dict[str, Callable[[Stage], CallDetail]] = {
    **{name: partial(consent.go, name=name) for name in ("silence, ring group", *YES, "no, queue")},
    **{f"{kind} always": partial(directed, kind=kind) for kind in DIRECTIONS},
    "called": toggle.called_user,
    "yes": bridged.consents_and_is_switched,
    "no": bridged.refuses,
}


@pytest.fixture(scope="class")
def asked(stage: Stage) -> Played[CallDetail]:
    """What came of each call of the first act."""
    stage.world()
    for extension in (*DIRECTIONS.values(), "211", "229", "244", "245"):
        stage.phone(extension)
    for name in (*YES, *NO):
        stage.phone(consent.WAYS[name].agent)
        consent.caller_of(stage, name)
    for name in ("caller-201", "toggle caller", "says yes", "says no"):
        stage.outside(name)
    return Played({name: partial(scene, stage) for name, scene in ASKED.items()})


class TestCallersAreAskedAndUsersSwitch:
    """Each direction, consent by queue and ring group, the star code, the group that we bridge."""

    @pytest.mark.parametrize(
        "verdict",
        [
            *every(directions.test_the_decision_follows_mode_and_direction, "direction", *DIRECTIONS, mode="always"),
            *every(directions.test_an_always_user_is_left_and_the_other_party_right, "direction", *DIRECTIONS),
            *every(
                directions.test_an_outside_party_hears_the_announcement_before_the_first_recorded_second,
                *("direction", "incoming", "outgoing"),
            ),
            (directions.test_our_snoops_leave_no_call_records, {}),
            *every(consent.test_what_the_caller_pressed_decides, "name", *YES, *NO),
            *every(consent.test_the_evidence_tells_keys_prompt_and_its_hash, "name", *YES, *NO),
            *every(consent.test_a_consenting_caller_is_recorded_with_the_evidence, "name", *YES),
            *every(consent.test_not_a_tenth_of_a_second_of_who_did_not_consent_is_on_disk, "name", *NO),
            (
                toggle.test_on_off_on_makes_two_recordings_with_both_voices,
                {"scene": "called", "user": "211", "other": "toggle caller"},
            ),
            (toggle.test_the_time_in_between_belongs_to_no_recording, {"scene": "called"}),
            (toggle.test_every_switch_is_a_decision_with_its_reason, {"scene": "called"}),
            (bridged.test_who_consented_is_recorded_in_the_bridged_group_while_its_user_wants_it, {}),
            (bridged.test_the_time_between_two_presses_belongs_to_no_recording, {}),
            (bridged.test_not_a_tenth_of_a_second_of_who_refused_is_on_disk, {}),
            (toggle.test_nothing_is_left_behind, {}),
        ],
        ids=told,
    )
    def test_it_is_as_on_the_asterisk_of_today(self, asked: Played[CallDetail], stage: Stage, verdict: Verdict) -> None:
        hear(verdict, asked, stage)


MOVED: dict[str, Callable[[Stage], CallDetail]] = {
    "by phone": partial(attended.by_phone, user="237", other="239"),
    "user by phone": partial(blind.to_user, way="phone", user="201", other="234"),
    "by the user": partial(hold.held, user="233", who="user"),
    "picked up": partial(pickup.picked_up, ringing="238", picker="241"),
    "card": pausing.card_number,
    "no after all": pausing.no_after_all,
}


@pytest.fixture(scope="class")
def moved(site: Site, stage: Stage) -> Iterator[Played[CallDetail]]:
    """What came of each call of the second act."""
    apply_policy(site, withdrawal_erases=True, pause_seconds=pausing.LONGEST_PAUSE_S)
    for extension in ("201", "202", "203", "229", "233", "234", "237", "238", "239", "241"):
        stage.phone(extension)
    for extension in ("201", "233", "237", "238"):
        stage.outside(f"caller of {extension}")
    for name in ("caller with a card", "caller who takes it back"):
        stage.outside(name)
    stage.from_now()
    yield Played({name: partial(scene, stage) for name, scene in MOVED.items()})
    apply_policy(site, withdrawal_erases=False, pause_seconds=120)


class TestCallsAreMovedAndRecordingsEnd:
    """Hold, both transfers, pick-up, pause, withdrawal; a recorder that is killed."""

    @pytest.mark.parametrize(
        "verdict",
        [
            (
                attended.test_caller_consultation_and_colleague_are_a_segment_each,
                {"scene": "by phone", "user": "237", "other": "239"},
            ),
            (
                blind.test_each_users_part_is_a_segment_of_its_own,
                {"scene": "user by phone", "first": "201", "second": "234"},
            ),
            (hold.test_each_stretch_of_talk_is_a_segment, {"scene": "by the user", "user": "233", "segments": 2}),
            (hold.test_music_is_in_no_recording, {}),
            (
                pickup.test_who_picks_up_is_recorded_as_who_they_are,
                {"scene": "picked up", "ringing": "238", "picker": "241"},
            ),
            (pausing.test_a_card_number_said_in_the_pause_is_on_no_disk, {}),
            (
                pausing.test_the_pause_is_an_evident_gap_between_two_recordings,
                {"scene": "card", "user": "Agnes Always"},
            ),
            (pausing.test_what_was_recorded_is_erased_with_the_consent, {}),
            (blind.test_nothing_is_left_behind, {}),
        ],
        ids=told,
    )
    def test_it_is_as_on_the_asterisk_of_today(self, moved: Played[CallDetail], stage: Stage, verdict: Verdict) -> None:
        hear(verdict, moved, stage)

    @pytest.mark.parametrize(
        "fault",
        [
            services.test_a_killed_and_restarted_recorder_goes_on_with_the_same_recording,
            services.test_a_call_that_ends_while_the_recorder_is_dead_is_stored_at_its_next_start,
            services.test_every_stored_file_is_what_the_books_say,
        ],
        ids=lambda fault: fault.__name__.removeprefix("test_"),
    )
    def test_a_dead_recorder_costs_no_more_than_there(self, stage: Stage, fault: Judge) -> None:
        stage.from_now()
        fault(stage)


ONE_RATE, TWO_RATES = ("201", "202", "237"), "203"
"""Whose calls are narrowband or wideband as a whole, and whose phone is wideband while the line is not."""


@pytest.fixture(scope="class")
def coded(stage: Stage) -> Played[CallDetail]:
    """What came of each call of the third act."""
    users = (*ONE_RATE, TWO_RATES)
    for user in users:
        codecs.user_phone(stage, user)
        stage.outside(f"caller of {user}", codecs=codecs.CALLERS[user])
    stage.from_now()
    return Played({f"codecs of {user}": partial(codecs.in_codecs, stage, user) for user in users})


class TestCodecs:
    """What the doctor says of an old Asterisk is so, and no more than that."""

    @pytest.mark.parametrize("user", ONE_RATE)
    def test_codecs_of_one_rate_are_recorded_as_on_the_asterisk_of_today(
        self, coded: Played[CallDetail], stage: Stage, user: str
    ) -> None:
        codecs.test_both_voices_whatever_the_codecs(coded, stage, user)

    def test_a_wideband_phone_on_a_narrowband_line_is_recorded_with_pieces_of_each_side_in_the_other(
        self, coded: Played[CallDetail], stage: Stage
    ) -> None:
        (recording,) = coded[f"codecs of {TWO_RATES}"].recordings
        sides = {TWO_RATES, f"caller of {TWO_RATES}"}
        for channel in (0, 1):
            heard = {voice for window in tones(stage.file(recording), channel) for voice in window.voices}
            assert heard <= {stage.voice(name) for name in sides}
        strangers = [w for w in tones(stage.file(recording), 0) if stage.voice(f"caller of {TWO_RATES}") in w.voices]
        assert strangers

    def test_the_doctor_says_so(self, site: Site) -> None:
        command = [sys.executable, "-m", "pbx_plugin.cli.main", "--config", str(site.config_path), "doctor", "--json"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        (found,) = [check for check in json.loads(said.stdout)["checks"] if check["name"] == "ARI"]
        assert found["health"] == "warn"
        assert "16.28.0" in found["what"]
        assert "wideband" in found["what"]
        broken = [check for check in json.loads(said.stdout)["checks"] if check["health"] == "fail"]
        assert broken == []


def test_this_is_the_old_end(site: Site) -> None:
    assert site.asterisk.binary.major == 16
    assert "Asterisk 16." in site.asterisk.rx("core show version")
