"""What a line between a phone and its server changes in the SIP that passes: every address is the line's own.

Neither side learns of the other's real address, so that all packets, of calls too, go through the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

BYTES = "latin-1"
"""Read so, a message is as many characters as bytes, whatever names it holds, and none of them is lost."""

_SIGNED = re.compile(r"(?i)(?:proxy-)?authori[sz]ation\s*:")
"""The answer to a challenge is computed over the address it holds: what is changed there is refused."""
_MEDIA = re.compile(r"(?m)^m=audio (\d+)(?= )")
_PLACE = re.compile(r"(?m)^c=IN IP4 (\S+?)(?=\r?$)")
_RTCP = re.compile(r"(?m)^a=rtcp:.*\r?\n")
_LENGTH = re.compile(r"(?im)^(content-length|l)\s*:\s*\d+")
_CALL_ID = re.compile(r"(?im)^(?:call-id|i)\s*:\s*(\S+)")


class Address(NamedTuple):
    """Where packets are sent."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def read(cls, text: str) -> Address:
        """Read ``host:port``. Raises ValueError on anything else."""
        host, _, port = text.rpartition(":")
        return cls(host, int(port))


def call_id(message: str) -> str:
    """The Call-ID of a SIP message, empty when it has none."""
    found = _CALL_ID.search(message)
    return found[1] if found else ""


def changed(
    message: str, addresses: dict[Address, Address], media: Callable[[Address], Address] = lambda offered: offered
) -> str:
    """The message with each of these addresses replaced, and its media where ``media`` puts them.

    ``media`` is asked with the address that the message offers or accepts RTP at, and answers the one to be told. It
    is not asked when the message has no audio, or audio that is off.
    """
    head, blank, body = message.partition("\r\n\r\n")
    lines = [line if _SIGNED.match(line) else _replaced(line, addresses) for line in head.split("\r\n")]
    body = _media_changed(body, media)
    head = _LENGTH.sub(lambda found: f"{found[1]}: {len(body.encode(BYTES))}", "\r\n".join(lines))
    return head + blank + body


def _replaced(line: str, addresses: dict[Address, Address]) -> str:
    known = {str(old): str(new) for old, new in addresses.items()}
    either = "|".join(re.escape(old) for old in known)
    return re.sub(rf"(?<![\d.])(?:{either})(?!\d)", lambda found: known[found[0]], line)


def _media_changed(body: str, media: Callable[[Address], Address]) -> str:
    port, place = _MEDIA.search(body), _PLACE.search(body)
    if port is None or place is None or port[1] == "0":
        return body
    told = media(Address(place[1], int(port[1])))
    body = _MEDIA.sub(f"m=audio {told.port}", _RTCP.sub("", body), count=1)
    return _PLACE.sub(f"c=IN IP4 {told.host}", body)
