"""The withdrawal's script: marks the presser's channel, tells the recorder who pressed, and is gone.

The mark is set first, so that a recorder which is away finds it on the channel when it comes back.
"""

from __future__ import annotations

from pbx_plugin.asterisk.agi import AgiSession
from pbx_plugin.asterisk.variables import CONSENT, EVENT_WITHDRAW


def withdraw(session: AgiSession) -> None:
    """Set the mark ``withdrawn`` on the presser's channel, inherited, and send the event. Raises AGIHangup."""
    session.set_variable(f"__{CONSENT}", "withdrawn")
    session.cel_event(EVENT_WITHDRAW)
    session.user_event(EVENT_WITHDRAW, uniqueid=session.env.get("agi_uniqueid", ""))
