"""A caller on the company's line who writes every byte of SIP themselves: what no proper telephone would send."""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pbx_plugin.sandbox.site_config import TRUNK_HOST

FRAME_S = 0.02
SILENCE = b"\xd5" * 160
"""A-law, 20 ms."""
SILENT_S = 4.0
"""Whose INVITE is not even answered with 100 after so long gets no answer at all."""
_numbers = itertools.count(1)
_STATUS = re.compile(rb"^SIP/2\.0 (\d{3}) ")
_MEDIA = re.compile(rb"m=audio (\d+) ")


@dataclass
class RawCall:
    """One INVITE: ``head`` are its From and whatever else the sender wants to say, as bytes, without line ends.

    What follows the INVITE has the From alone.
    """

    server: tuple[str, int]
    dialled: bytes
    head: Sequence[bytes]
    tag: bytes = field(default_factory=lambda: b"t%d" % next(_numbers))
    to: bytes = b""
    status: int = 0
    _cseq: int = 1
    _heard: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> RawCall:
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for each in (self._sip, self._rtp):
            each.bind((TRUNK_HOST, 0))
        self._sip.settimeout(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._sip.close()
        self._rtp.close()

    @property
    def _uri(self) -> bytes:
        return b"sip:" + self.dialled + b"@%s:%d" % (self.server[0].encode(), self.server[1])

    def _request(self, method: bytes, *more: bytes, body: bytes = b"") -> None:
        host, port = self._sip.getsockname()
        lines = [
            method + b" " + self._uri + b" SIP/2.0",
            b"Via: SIP/2.0/UDP %s:%d;rport;branch=z9hG4bK%s-%d" % (host.encode(), port, self.tag, self._cseq),
            *(self.head if method == b"INVITE" else self.head[:1]),
            b"To: " + (self.to or b"<" + self._uri + b">"),
            b"Call-ID: raw-%s@%s" % (self.tag, host.encode()),
            b"CSeq: %d %s" % (self._cseq, method),
            b"Contact: <sip:raw@%s:%d>" % (host.encode(), port),
            b"Max-Forwards: 70",
            *more,
            b"Content-Length: %d" % len(body),
        ]
        self._sip.sendto(b"\r\n".join(lines) + b"\r\n\r\n" + body, self.server)

    def invite(self, seconds: float = 20.0) -> int:
        """Call, and return the final status; 0 when nothing came, which is what a message that cannot be read gets."""
        host, port = self._rtp.getsockname()
        sdp = (
            b"v=0\r\no=raw 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\n"
            b"a=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n" % (host.encode(), host.encode(), port)
        )
        self._request(b"INVITE", b"Content-Type: application/sdp", body=sdp)
        begun = time.monotonic()
        while time.monotonic() < begun + (seconds if self._heard else SILENT_S):
            said = self._received()
            found = _STATUS.match(said)
            if found and int(found[1]) >= 200 and b" INVITE" in said:
                self.status = int(found[1])
                self.to = next(
                    line.partition(b":")[2].strip() for line in said.split(b"\r\n") if line.lower().startswith(b"to:")
                )
                self._request(b"ACK")
                break
        if self.status == 200:
            media = _MEDIA.search(said)
            assert media is not None
            threading.Thread(target=self._speak, args=(int(media[1]),), daemon=True).start()
        return self.status

    def key(self, digit: str) -> None:
        """Press a key, told by SIP INFO."""
        self._cseq += 1
        body = b"Signal=%s\r\nDuration=160\r\n" % digit.encode()
        self._request(b"INFO", b"Content-Type: application/dtmf-relay", body=body)
        self._received()

    def talk(self, seconds: float) -> None:
        """Answer whatever is asked meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._received()

    def hang_up(self) -> None:
        """End the call."""
        self._cseq += 1
        self._request(b"BYE")
        self._received()
        self._ended.set()

    def _received(self) -> bytes:
        try:
            said = self._sip.recv(65535)
        except TimeoutError:
            return b""
        self._heard = True
        if not said.startswith(b"SIP/2.0"):
            self._agree(said)
        if said.startswith(b"SIP/2.0 1"):
            return b"going on"
        return said

    def _agree(self, asked: bytes) -> None:
        kept = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
        lines = [line for line in asked.split(b"\r\n") if line.lower().startswith(kept)]
        if not asked.startswith(b"ACK"):
            answer = b"\r\n".join([b"SIP/2.0 200 OK", *lines, b"Content-Length: 0"]) + b"\r\n\r\n"
            self._sip.sendto(answer, self.server)

    def _speak(self, port: int) -> None:
        with suppress(OSError):
            for frame in itertools.count():
                if self._ended.wait(FRAME_S):
                    return
                head = b"\x80\x08" + (frame & 0xFFFF).to_bytes(2, "big") + (160 * frame).to_bytes(4, "big") + b"raw1"
                self._rtp.sendto(head + SILENCE, (self.server[0], port))
