"""What the tests of call kinds share: bringing people together, and saying who is heard on which side."""

from __future__ import annotations

from dataclasses import dataclass

from stage import Stage, wait_for

from pbx_plugin.db.views import CallDetail, RecordingView
from pbx_plugin.sandbox.listening import picture, tones
from pbx_plugin.sandbox.phone import Leg, Phone
from pbx_plugin.sandbox.site_people import ddi_of

TALK_S = 2.5


@dataclass(frozen=True)
class Talk:
    """An outside caller and a user who talk: the caller's name and number, and both ends."""

    name: str
    number: str
    caller: Leg
    user: Leg


def called(stage: Stage, extension: str, name: str = "", dialled: str = "") -> Talk:
    """Have somebody outside call a user, and the user answer. Recording may not have begun yet."""
    phone = ready(stage, extension)
    outside = stage.outside(name or f"caller of {extension}")
    leg = outside.dial(dialled or ddi_of(extension))
    user = phone.wait_incoming()
    user.wait("CONFIRMED")
    leg.wait("CONFIRMED")
    return Talk(outside.name, outside.config.caller, leg, user)


def ready(stage: Stage, extension: str, *, answers: bool = True) -> Phone:
    """Return a user's phone, of which earlier calls are forgotten."""
    phone = stage.phone(extension, answers=answers)
    phone.disregard_incoming()
    return phone


def recorded(stage: Stage, number: str, extension: str, nth: int = 1) -> RecordingView:
    """Wait until the user's n-th segment in the latest call of that number is being recorded."""

    def look() -> RecordingView | None:
        found = stage.call(number)
        mine = [r for r in found.recordings if r.extension == extension and r.in_at] if found else []
        return mine[nth - 1] if len(mine) >= nth else None

    return wait_for(look, f"segment {nth} of {extension} in the call of {number} to begin", 12.0)


def closed(stage: Stage, number: str, extension: str, nth: int = 1) -> None:
    """Wait until the user's n-th segment has ended."""

    def look() -> bool:
        found = stage.call(number)
        mine = [r for r in found.recordings if r.extension == extension] if found else []
        return len(mine) >= nth and mine[nth - 1].closed_at is not None

    wait_for(look, f"segment {nth} of {extension} in the call of {number} to end", 8.0)


@dataclass(frozen=True)
class Part:
    """A recording that must be there: whose, who else is heard, and how long at its end keys were pressed.

    A phone that sends a key sends no voice meanwhile. ``after`` are the first seconds in which voices may be missing.
    """

    user: str
    other: str
    keys: float = 0.0
    after: float = 0.0
    third: tuple[str, ...] = ()


def assert_segments(stage: Stage, call: CallDetail, *expected: Part) -> None:
    """Assert that the call has exactly these recordings in time order, and who is heard on which side of each."""
    found = [(recording.extension, recording.close_reason, recording.fail_reason) for recording in call.recordings]
    assert [extension for extension, *_ in found] == [part.user for part in expected], found
    for recording, part in zip(call.recordings, expected, strict=True):
        assert recording.state == "stored", recording.fail_reason
        sides = (part.user, part.other) if recording.user_side == "left" else (part.other, part.user)
        for channel, who in enumerate(sides):
            assert_heard(stage, recording, channel, who, part)


def assert_heard(stage: Stage, recording: RecordingView, channel: int, who: str, part: Part) -> None:
    """Assert that this voice is on this side from beginning to end (a quarter second may fail), and no stranger's."""
    path, end = stage.file(recording), recording.length_ms / 1000
    windows = [w for w in tones(path, channel) if w.start_s >= 0.25 and w.end_s <= end - 0.2]
    allowed = {stage.voice(name) for name in (who, *part.third)}
    strangers = {str(voice) for window in windows for voice in window.voices - allowed}
    due = [w for w in windows if w.start_s >= part.after and w.end_s <= end - 0.2 - part.keys]
    missing = [w.start_s for w in due if stage.voice(who) not in w.voices]
    assert len(due) >= 4, f"{path}: {end} s are too short to tell"
    assert not strangers, f"{path}: {strangers} on side {channel}, where {who} is\n{picture(windows)}"
    assert len(missing) <= 1, f"{path}: {who} is missing on side {channel} at {missing}\n{picture(windows)}"


def assert_one_journey(call: CallDetail) -> None:
    """Assert that all is filed under one call or under calls that ended in it, numbered from 1 in each."""
    mine = {call.call.call_id, *(other.call_id for other in call.merged_from)}
    assert {recording.call_id for recording in call.recordings} <= mine
    for call_id in mine:
        numbers = [recording.segment for recording in call.recordings if recording.call_id == call_id]
        assert sorted(set(numbers)) == list(range(1, len(set(numbers)) + 1)), numbers


def users_joined(call: CallDetail) -> list[str]:
    """Return the users in the order in which they first joined a conversation, by the time line."""
    who = {leg.channel_id: leg.user_name for leg in call.legs}
    joined = [who.get(step.channel_id, "") for step in call.timeline if step.what == "joined"]
    return list(dict.fromkeys(name for name in joined if name))
