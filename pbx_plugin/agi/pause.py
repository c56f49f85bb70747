"""The script of the sensitive-data pause: tells the recorder who pressed, and is gone. See :mod:`toggle` for why."""

from __future__ import annotations

from pbx_plugin.asterisk.agi import AgiSession
from pbx_plugin.asterisk.variables import EVENT_PAUSE


def pause(session: AgiSession) -> None:
    """Send the pause event from the presser's channel; ``uniqueid`` in it is that channel's. Raises AGIHangup."""
    session.cel_event(EVENT_PAUSE)
    session.user_event(EVENT_PAUSE, uniqueid=session.env.get("agi_uniqueid", ""))
