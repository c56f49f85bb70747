"""A call that never was: written and taken back, so that the first real one finds every statement prepared."""

from __future__ import annotations

from datetime import UTC, datetime

from pbx_plugin.domain import entries as e
from pbx_plugin.domain.entries import Entry, Side

_AT = datetime(2000, 1, 1, tzinfo=UTC)
_CALL, _MEDIA = "rehearsal", "rehearsal"


def steps() -> list[list[Entry]]:
    """Return what a recorder says of a call until it is recorded, and when it ends; nothing of it may be committed."""
    remembered = e.CallRemembered(_CALL, _AT, "{}")
    leg = e.LegSeen(_CALL, "rehearsal", _AT, "rehearsal")
    moved = e.LegMoved(_CALL, "rehearsal", _AT, "joined")
    intended = e.RecordingIntended(
        _CALL, _MEDIA, _CALL, _CALL, "", "", 1, _AT, "", "", "", Side.LEFT, Side.RIGHT, "outgoing", "", ""
    )
    return [
        [e.CallBegan(_CALL, _CALL, "rehearsal", _AT, 0, False, "outgoing"), leg, remembered],
        [leg, moved, remembered],
        [e.Marked(_CALL, _AT, "", "", "", (), ""), e.Decided(_CALL, _CALL, "", _AT, "", 0, "", 0, {}, []), intended],
        [e.RecordingStarted(_MEDIA, _AT, _AT, _AT), remembered],
        [e.RecordingClosed(_MEDIA, _AT, ""), moved, remembered],
        [e.RecordingStored(_MEDIA, _AT, "", "", "", 0, 0, 0, False, False)],
        [e.CallEnded(_CALL, _AT, "answered")],
    ]
