"""The star code's script: tells the recorder who pressed, and is gone.

While it runs the user is out of the conversation and both sides hear nothing, so it does one thing only: no
database, no journal, no decision. Whether the user may switch is for the recorder to decide.
"""

from __future__ import annotations

from pbx_plugin.asterisk.agi import AgiSession
from pbx_plugin.asterisk.variables import EVENT_TOGGLE


def toggle(session: AgiSession) -> None:
    """Send the toggle event from the presser's channel; ``uniqueid`` in it is that channel's. Raises AGIHangup."""
    session.cel_event(EVENT_TOGGLE)
    session.user_event(EVENT_TOGGLE, uniqueid=session.env.get("agi_uniqueid", ""))
