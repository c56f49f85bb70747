"""What Asterisk says of our own deeds is kept until it is taken, and not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pbx_plugin.ari_app.signals import NotHeardError, Signals

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def event(kind: str, second: float, **what: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": (NOON + timedelta(seconds=second)).isoformat(), **what}


async def test_a_signal_that_came_before_anybody_waited_is_taken_once() -> None:
    signals = Signals()
    signals.feed(event("StasisStart", 1, channel={"id": "pbxrec-1"}))
    assert await signals.wait("StasisStart", "pbxrec-1", 0.01) == NOON + timedelta(seconds=1)
    with pytest.raises(NotHeardError, match="no StasisStart"):
        await signals.wait("StasisStart", "pbxrec-1", 0.01)


async def test_a_recording_that_failed_says_why() -> None:
    signals = Signals()
    signals.feed(event("RecordingFailed", 1, recording={"name": "pbxrec/a", "cause": "no space"}))
    with pytest.raises(NotHeardError, match="no space"):
        await signals.wait("RecordingStarted", "pbxrec/a", 0.01)
    assert signals.has("RecordingFinished", "pbxrec/a")


def test_a_busy_day_leaves_nothing_behind_in_memory() -> None:
    signals = Signals()
    for call in range(10_000):
        at = call * 0.5
        signals.feed(event("StasisStart", at, channel={"id": f"pbxrec-{call}"}))
        signals.feed(event("StasisEnd", at, channel={"id": f"pbxrec-{call}"}))
        signals.feed(event("RecordingFinished", at, recording={"name": f"pbxrec/{call}"}))
        signals.feed(event("RecordingFinished", at, recording={"name": f"voicemail/{call}"}))
        signals.feed(event("PlaybackFinished", at, playback={"id": f"somebody's-{call}", "state": "done"}))
    assert len(signals._came) < 500
