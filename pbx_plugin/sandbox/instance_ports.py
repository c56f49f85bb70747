"""Ports on the loopback that nobody else has: for one Asterisk and all that talks to it."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pbx_plugin.sandbox.provision import cache_dir

BLOCK = 500
RTP_PORTS = 400
FIRST, LAST = 20_000, 32_500
"""Below the range from which the kernel gives out ports by itself, so that no outgoing connection can take one."""

Kind = Literal["tcp", "udp"]


class NoFreePortsError(Exception):
    """Every block of ports is taken."""


def is_free(host: str, port: int, kind: Kind) -> bool:
    """Whether `port` could be bound on `host` just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as probe:
        if kind == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as wrong:
            if wrong.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_port(host: str = "127.0.0.1", kind: Kind = "tcp") -> int:
    """A port free on `host` at this moment, of the kernel's choosing; a `PortBlock` keeps its ports, this does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class PortBlock:
    """500 ports that no other block holder uses: 400 for RTP (`rtp_first` to `rtp_last`), 100 to be named with `port`.

    Held by a lock on a file in the cache. The lock goes with the last process that has `lock_fd` open; an
    `AsteriskInstance` hands it to its Asterisk, so the ports stay taken while that runs, whoever started it.
    """

    first: int
    host: str
    lock_fd: int
    _given: int = 0

    @classmethod
    def take(cls, host: str = "127.0.0.1") -> PortBlock:
        """Lock a block that is free on `host`.

        Raises:
            NoFreePortsError: all 25 are in use.
        """
        folder = cache_dir() / "ports"
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        starts = list(range(FIRST, LAST, BLOCK))
        random.shuffle(starts)
        for first in starts:
            lock_fd = _lock(folder / str(first))
            if lock_fd is None:
                continue
            named = [first + RTP_PORTS + n for n in (*range(10), *range(10, BLOCK - RTP_PORTS, 10))]
            if all(is_free(host, port, "tcp") and is_free(host, port, "udp") for port in named):
                return cls(first, host, lock_fd)
            os.close(lock_fd)
        raise NoFreePortsError(
            f"all blocks of ports between {FIRST} and {LAST} are in use; their locks are in {folder}"
        )

    @property
    def rtp_first(self) -> int:
        """The first RTP port, an even number."""
        return self.first

    @property
    def rtp_last(self) -> int:
        """The last RTP port, included."""
        return self.first + RTP_PORTS - 1

    def port(self, kind: Kind = "tcp") -> int:
        """The next port of the block that is free; each call gives another one.

        Raises:
            NoFreePortsError: the block's hundred are given out.
        """
        while self._given < BLOCK - RTP_PORTS:
            port = self.first + RTP_PORTS + self._given
            self._given += 1
            if is_free(self.host, port, kind):
                return port
        raise NoFreePortsError(f"the block of ports from {self.first} is used up")

    def release(self) -> None:
        """Let go of the block in this process; again is harmless."""
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1


def _lock(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
