"""A bad line: between a phone and its server, it delays, loses and swaps the packets of calls, each way as it is told.

with BadLine(server="127.0.0.1:5060") as line:
    phone = Phone.start("anna", server=line.address, ...)
    line.now(to_server=Weather(delay_ms=(0, 80), lost=0.02))
"""

from __future__ import annotations

import heapq
import itertools
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pbx_plugin.sandbox.phone_line_sip import BYTES, Address, call_id, changed
from pbx_plugin.sandbox.signals import RATE

LARGEST = 65_536
RTP_HEADER = 12
SILENT = {0: 0xFF, 8: 0xD5}
"""What silence is in the payload types of mu-law and A-law: what differs from it more in seven bits is louder."""
LOUD = 0x30
QUIET_PACKETS = 5
WRAPS = 2**32
"""RTP's time stamps begin anywhere and start again here."""
ENDS_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to the packets of calls in one direction. Shares are of packets, 0 to 1.

    Each packet waits a random time within ``delay_ms``. With ``in_order`` none overtakes an earlier one, as on most
    lines; without it they come as they come. With each packet that begins a burst, ``burst_packets`` in a row are lost.
    """

    delay_ms: tuple[float, float] = (0.0, 0.0)
    in_order: bool = True
    lost: float = 0.0
    bursts: float = 0.0
    burst_packets: int = 8


FAIR = Weather()


@dataclass(frozen=True, slots=True)
class Counted:
    """How many packets of calls came to the line in one direction, and how many it lost or let be overtaken."""

    came: int
    lost: int
    overtaken: int


class Way:
    """One direction: decides about each packet. Times are in seconds, of any clock that does not go back."""

    def __init__(self, seed: int) -> None:
        self.weather = FAIR
        self._chance = random.Random(seed)  # noqa: S311  # weather, no secret
        self._burst = 0
        self._latest = 0.0
        self._came = self._lost = self._overtaken = 0

    @property
    def counted(self) -> Counted:
        return Counted(self._came, self._lost, self._overtaken)

    def due(self, now: float) -> float | None:
        """When a packet that comes now goes on; None when it is lost."""
        weather = self.weather
        self._came += 1
        if self._burst == 0 and self._chance.random() < weather.bursts:
            self._burst = weather.burst_packets
        if self._burst or self._chance.random() < weather.lost:
            self._burst = max(0, self._burst - 1)
            self._lost += 1
            return None
        due = now + self._chance.uniform(*weather.delay_ms) / 1000
        if due < self._latest:
            if weather.in_order:
                due = self._latest
            else:
                self._overtaken += 1
        self._latest = max(self._latest, due)
        return due


@dataclass(frozen=True, slots=True)
class Onset:
    """A sound that began after silence: when its first packet came to the line, and when it went on (None: lost).

    Seconds of CLOCK_MONOTONIC. Told of A-law and mu-law only.
    """

    came: float
    went: float | None


class _Ear:
    """Hears sounds begin in the RTP of one direction of a call, and how unevenly its packets go on."""

    def __init__(self) -> None:
        self.onsets: list[Onset] = []
        self._quiet = 0
        self._first: int | None = None
        self._late: list[float] = []

    @property
    def spread_ms(self) -> float:
        return 1000 * (max(self._late) - min(self._late)) if self._late else 0.0

    def hear(self, packet: bytes, came: float, went: float | None) -> None:
        silent = SILENT.get(packet[1] & 0x7F) if len(packet) > RTP_HEADER else None
        if silent is None:
            return
        if went is not None:
            stamp = int.from_bytes(packet[4:8], "big")
            self._first = stamp if self._first is None else self._first
            self._late.append(went - ((stamp - self._first) % WRAPS) / RATE)
        loud = sum((byte ^ silent) & 0x7F > LOUD for byte in packet[RTP_HEADER:]) > len(packet) // 8
        if loud and self._quiet >= QUIET_PACKETS:
            self.onsets.append(Onset(came, went))
        self._quiet = 0 if loud else self._quiet + 1


class _Pair:
    """The media of one call: a socket that the phone sends to, one that the server sends to."""

    def __init__(self, host: str) -> None:
        self.near, self.far = _socket(host), _socket(host)
        self.phone: Address | None = None
        self.server: Address | None = None
        self.ears = {True: _Ear(), False: _Ear()}


class BadLine:
    """Carries SIP untouched but for the addresses, and RTP through the weather. RTCP is not carried.

    One line serves one phone, whose ``server`` is :attr:`address`. ``host`` is the address that the server sees calls
    come from. Works in a thread of its own until :meth:`close`; closing again is harmless.
    """

    def __init__(self, server: str, host: str = "127.0.0.1", seed: int = 1) -> None:
        self._host = host
        self._server = Address.read(server)
        self._near, self._far = _socket(host), _socket(host)
        self._phone: Address | None = None
        self._pairs: dict[str, _Pair] = {}
        self._to_server, self._to_phone = Way(seed), Way(seed + 1)
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._turn = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._near, selectors.EVENT_READ, self._from_phone)
        self._selector.register(self._far, selectors.EVENT_READ, self._from_server)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"line {self.address}", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """``host:port``, the phone's server."""
        return str(_address(self._near))

    def now(self, *, to_server: Weather = FAIR, to_phone: Weather = FAIR) -> None:
        """Change the weather from now on; what already waits goes on as it was."""
        self._to_server.weather, self._to_phone.weather = to_server, to_phone

    @property
    def counted(self) -> tuple[Counted, Counted]:
        """What was counted to the server, and to the phone."""
        return self._to_server.counted, self._to_phone.counted

    def onsets(self, *, to_server: bool) -> list[Onset]:
        """The sounds that began in the first call over this line, in that direction."""
        return next(list(pair.ears[to_server].onsets) for pair in self._pairs.values())

    def spread_ms(self, *, to_server: bool) -> float:
        """How much later than the promptest the latest packet of the first call went on, by weather or a busy machine.

        Measured against the time stamps in the packets, so a phone that stood still for a moment is counted in.
        """
        return next(pair.ears[to_server].spread_ms for pair in self._pairs.values())

    def close(self) -> None:
        """End the thread and close all sockets."""
        self._over.set()
        self._thread.join(ENDS_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                soon = self._waiting[0][0] - time.monotonic() if self._waiting else 0.1
                for key, _ in self._selector.select(max(0.0, min(0.1, soon))):
                    key.data()
                while self._waiting and self._waiting[0][0] <= time.monotonic():
                    heapq.heappop(self._waiting)[2]()
        finally:
            for key in list(self._selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
            self._selector.close()

    # SIP

    def _from_phone(self) -> None:
        message, self._phone = _received(self._near)
        addresses = {self._phone: _address(self._far), _address(self._near): self._server}

        def media(offered: Address) -> Address:
            pair = self._pair(message)
            pair.phone = offered
            return _address(pair.far)

        self._far.sendto(changed(message, addresses, media).encode(BYTES), self._server)

    def _from_server(self) -> None:
        message, _ = _received(self._far)
        if self._phone is None:
            return
        addresses = {_address(self._far): self._phone, self._server: _address(self._near)}

        def media(offered: Address) -> Address:
            pair = self._pair(message)
            pair.server = offered
            return _address(pair.near)

        self._near.sendto(changed(message, addresses, media).encode(BYTES), self._phone)

    # Media

    def _pair(self, message: str) -> _Pair:
        call = call_id(message)
        if call not in self._pairs:
            pair = self._pairs[call] = _Pair(self._host)
            self._selector.register(pair.near, selectors.EVENT_READ, lambda: self._carry(pair, to_server=True))
            self._selector.register(pair.far, selectors.EVENT_READ, lambda: self._carry(pair, to_server=False))
        return self._pairs[call]

    def _carry(self, pair: _Pair, *, to_server: bool) -> None:
        source, sink = (pair.near, pair.far) if to_server else (pair.far, pair.near)
        packet = source.recv(LARGEST)
        target = pair.server if to_server else pair.phone
        way = self._to_server if to_server else self._to_phone
        now = time.monotonic()
        due = way.due(now)
        pair.ears[to_server].hear(packet, now, due)
        if due is None or target is None:
            return
        if due <= now:
            sink.sendto(packet, target)
        else:
            heapq.heappush(self._waiting, (due, next(self._turn), lambda: _send(sink, packet, target)))


def _send(sink: socket.socket, packet: bytes, target: Address) -> None:
    sink.sendto(packet, target)


def _socket(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    return made


def _address(of: socket.socket) -> Address:
    return Address(*of.getsockname())


def _received(by: socket.socket) -> tuple[str, Address]:
    packet, source = by.recvfrom(LARGEST)
    return packet.decode(BYTES), Address(*source)
