"""Limits and disks: what is refused is a gap with its reason, loud, and begins when there is room."""

from __future__ import annotations

from pathlib import Path

import pytest
from call_story import Story, rules
from test_calls import END, INCOMING

from pbx_plugin.ari_app import room as watching
from pbx_plugin.ari_app.room import RoomWatch, room_of
from pbx_plugin.domain import commands as c
from pbx_plugin.domain.capacity import Room
from pbx_plugin.domain.entries import Trouble
from pbx_plugin.domain.policy import GroupPolicy
from pbx_plugin.services.ports import JournalError
from pbx_plugin.settings import Recorder

NEARLY_FULL = "no room: a disk is nearly full"
LIMIT = "no room: the company's limit is 1 recordings at once"
SECOND = """
    5.0 ring T2 trunk +4531200119 > +4570100103
    5.1 down A2 103 linked-T2
    6.0 join A2 B2
    6.0 join T2 B2
"""


def test_a_nearly_full_disk_refuses_a_user_in_mode_always_loudly() -> None:
    story = Story().tell("0 full" + INCOMING.format(to=101) + END)
    assert story.verdicts() == [("u101", "record", 10)]
    assert story.segments() == []
    assert story.missed() == [("u101", 3.0, 9.0, NEARLY_FULL)]
    (complaint,) = story.commands(c.Complain)
    assert (complaint.user_ids, complaint.reason) == (("u101",), NEARLY_FULL)


@pytest.mark.parametrize(
    ("changes", "mark", "rule"),
    [
        ({"whitelisted_ddis": frozenset({"+4570100101"})}, "", 7),
        ({"groups": {"g-all": GroupPolicy.ALWAYS}}, "groups=g-all", 8),
        ({}, "groups=g-ring consent=given", 9),
    ],
)
def test_what_the_company_promised_goes_on_until_the_disk_itself_refuses(
    changes: dict[str, object], mark: str, rule: int
) -> None:
    marked = INCOMING.format(to=101).replace("0.1 down", f"0.05 mark T1 {mark}\n    0.1 down", 1)
    story = Story(rules(**changes)).tell("0 full" + marked)
    assert story.verdicts()[-1] == ("u101", "record", rule)
    assert len(story.segments()) == 1
    assert story.gaps() == []


def test_what_is_being_recorded_goes_on_when_the_disk_gets_full() -> None:
    story = Story().tell(INCOMING.format(to=101) + "4.0 full\n5.0 clock\n6.0 mark T1" + END)
    assert story.segments() == [("u101", 3.0, 9.0, "the conversation ended")]
    assert story.gaps() == []


def test_recording_begins_when_there_is_room_again() -> None:
    story = Story().tell("0 full" + INCOMING.format(to=101) + "5.0 clock\n6.0 room\n6.2 clock" + END)
    assert story.segments() == [("u101", 6.2, 9.0, "the conversation ended")]
    assert story.missed() == [("u101", 3.0, 6.2, NEARLY_FULL)]
    assert len(story.commands(c.Complain)) == 1


def test_who_switches_on_without_room_hears_no_and_the_on_tone_when_it_begins() -> None:
    story = Story().tell("0 full" + INCOMING.format(to=111) + "4.0 press A1\n5.0 room\n5.2 clock" + END)
    assert story.tones() == ["denied", "toggle-on"]
    assert story.missed() == [("u111", 4.0, 5.2, NEARLY_FULL)]
    assert [segment[1] for segment in story.segments()] == [5.2]


def test_a_pause_that_ends_needs_no_room_anew() -> None:
    story = Story().tell(INCOMING.format(to=103) + "4.0 pause A1\n5.0 full\n6.0 pause A1" + END)
    assert [segment[1] for segment in story.segments()] == [3.0, 6.0]


def test_the_second_call_over_the_limit_is_refused_until_the_first_has_ended() -> None:
    story = Story(most=1).tell(INCOMING.format(to=101) + SECOND + END + "9.3 clock")
    assert [(user, start) for user, start, _, _ in story.segments()] == [("u101", 3.0), ("u103", 9.3)]
    assert story.missed() == [("u103", 6.0, 9.3, LIMIT)]


def test_a_paused_recording_keeps_its_place() -> None:
    story = Story(most=1).tell(INCOMING.format(to=103) + "4.0 pause A1" + SECOND + "7.0 clock")
    assert [(user, since, why) for user, since, _, why in story.missed()] == [
        ("u103", 4.0, "paused by User 103"),
        ("u103", 6.0, LIMIT),
    ]


def test_the_same_call_goes_on_within_the_limit_when_its_parties_change() -> None:
    story = Story(most=1).tell(
        INCOMING.format(to=101)
        + """
        5.0 left A1 B1
        5.0 left T1 B1
        5.0 gone A1
        6.0 down A2 102
        7.0 join A2 B2
        7.0 join T1 B2
        """
    )
    assert [user for user, *_ in story.segments()] == ["u101", "u102"]
    assert story.gaps() == []


def test_a_refused_call_that_ends_leaves_nothing_behind() -> None:
    story = Story().tell("0 full" + INCOMING.format(to=101) + END)
    assert story.board.calls == {}


@pytest.mark.parametrize(
    ("free", "room"), [(1999, Room.LITTLE), (2000, Room.ENOUGH), (500, Room.LITTLE), (499, Room.NONE), (0, Room.NONE)]
)
def test_the_watermarks(free: int, room: Room) -> None:
    assert room_of(free, Recorder()) is room


class Reports:
    """What a watch writes down; ``full`` makes that impossible."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []
        self.full = False

    async def __call__(self, news: list[Trouble]) -> None:
        if self.full:
            raise JournalError("no room")
        self.said += [(one.cause, one.over) for one in news]

    def take(self) -> list[tuple[str, bool]]:
        said, self.said = self.said, []
        return said


async def test_the_fullest_disk_counts_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Room] = []
    left = {"spool": 90_000, "archive": 400}
    monkeypatch.setattr(watching, "free_mb", lambda folders: min((left[str(folder)], folder) for folder in folders))
    watch = RoomWatch((Path("spool"), Path("archive")), Recorder(), told.append, Reports())
    await watch.look()
    left["archive"] = 80_000
    await watch.look()
    assert told == [Room.NONE, Room.ENOUGH]


async def test_each_crossing_of_a_watermark_is_written_down_once(monkeypatch: pytest.MonkeyPatch) -> None:
    free, reports = [90_000], Reports()
    monkeypatch.setattr(watching, "free_mb", lambda folders: (free[0], Path()))
    watch = RoomWatch((Path(),), Recorder(), lambda _: None, reports)
    getting, nearly = "a disk is getting full", "a disk is nearly full"
    for left, expected in [
        (90_000, [(getting, True), (nearly, True)]),  # nobody knows what an earlier run had said
        (90_000, []),
        (1_000, [(getting, False)]),
        (900, []),
        (100, [(nearly, False)]),
        (90_000, [(getting, True), (nearly, True)]),
        (100, [(getting, False), (nearly, False)]),
        (1_000, [(nearly, True)]),
    ]:
        free[0] = left
        await watch.look()
        assert reports.take() == expected, left


async def test_what_a_full_disk_does_not_take_is_written_down_later(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Room] = []
    reports = Reports()
    reports.full = True
    monkeypatch.setattr(watching, "free_mb", lambda folders: (0, Path()))
    watch = RoomWatch((Path(),), Recorder(), told.append, reports)
    await watch.look()
    assert (told, reports.take()) == ([Room.NONE], [])
    reports.full = False
    await watch.look()
    assert reports.take() == [("a disk is getting full", False), ("a disk is nearly full", False)]


async def test_a_folder_that_cannot_be_seen_stops_nothing(tmp_path: Path) -> None:
    told: list[Room] = []
    await RoomWatch((tmp_path / "away",), Recorder(), told.append, Reports()).look()
    assert told == []
