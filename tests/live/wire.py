"""A wire between the recorder and Asterisk that can be cut: the recorder in a network of its own, joined by two ends.

Asterisk's REST interface listens on the loopback, as it should; a relay at the near end of the wire leads there. Where
networks may not be made (that needs root), the recorder comes to the same relay on the loopback, and the relay holds
still in place of the wire: the recorder's packets are then taken, and go nowhere. ``Wire.apart`` tells which it is.

Nothing has to be cleaned away after a crash: the network lives as long as a process that ends with this one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

NETS = IPv4Address("198.18.0.0")
"""Addresses that are set aside for tests of networks, and used nowhere else; four for each process number."""

WAIT_FOR_THE_END = "read -r _"


class Relay:
    """Takes connections at an address and leads them to a port of the loopback, unless it is held or shut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._shut = False
        self._spawn(self._accept)

    def hold(self) -> None:
        """Let nothing through; nobody is told."""
        self._flows.clear()

    def let(self) -> None:
        """Let everything through again, first what came meanwhile."""
        self._shut = False
        self._flows.set()

    def drop(self) -> None:
        """Break all connections off, and every new one, until :meth:`let`."""
        self._shut = True
        with self._lock:
            for one in self._open:
                _reset(one)

    def close(self) -> None:
        """End it, and wait until it has."""
        self.drop()
        self._flows.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._shut:
                _reset(near)
                near.close()
                continue
            self._spawn(self._join, near)

    def _join(self, near: socket.socket) -> None:
        self._flows.wait()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            _reset(near)
            near.close()
            return
        with self._lock:
            self._open |= {near, far}
        back = self._spawn(self._pump, far, near)
        self._pump(near, far)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                self._flows.wait()
                sink.sendall(content)
        self._flows.wait()
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _spawn(self, deed: Callable[..., None], *given: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=deed, args=given, name="relay", daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread


class Wire:
    """The way from the recorder to Asterisk's REST interface.

    ``within`` is what the recorder is started with, ``environment`` tells it where to find Asterisk.
    """

    def __init__(self, relay: Relay, host: str, near_end: str = "", within: tuple[str, ...] = ()) -> None:
        self._relay = relay
        self._near_end = near_end
        self.within = within
        self.environment = {"PBX_PLUGIN_ARI__HOST": host, "PBX_PLUGIN_ARI__PORT": str(relay.port)}

    @property
    def apart(self) -> bool:
        """Whether it is a real wire between two networks."""
        return bool(self._near_end)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing comes through, and nobody is told so."""
        self._link("down")
        try:
            yield
        finally:
            self._link("up")

    @contextmanager
    def dropped(self) -> Iterator[None]:
        """All connections break off, and every new one does, too."""
        self._relay.drop()
        try:
            yield
        finally:
            self._relay.let()

    def _link(self, state: str) -> None:
        if self.apart:
            _ip("link", "set", self._near_end, state)
        elif state == "down":
            self._relay.hold()
        else:
            self._relay.let()


@contextmanager
def laid_to(port: int) -> Iterator[Wire]:
    """Lay a wire to a port of the loopback; a real one where networks may be made."""
    with contextlib.ExitStack() as ends:
        if not networks_may_be_made():
            relay = Relay("127.0.0.1", port)
            ends.callback(relay.close)
            yield Wire(relay, "127.0.0.1")
            return
        holder = subprocess.Popen(["unshare", "--net", "sh", "-c", f"echo; {WAIT_FOR_THE_END}"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        ends.callback(holder.communicate)
        assert holder.stdout is not None
        holder.stdout.read(1)  # it has its network now
        number = os.getpid() % 32768
        near, far = f"pbx{number}n", f"pbx{number}f"
        here, there = NETS + 4 * number + 1, NETS + 4 * number + 2
        within = ("nsenter", f"--net=/proc/{holder.pid}/ns/net")
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", str(holder.pid))
        _ip("addr", "add", f"{here}/30", "dev", near)
        _ip("link", "set", near, "up")
        _ip("addr", "add", f"{there}/30", "dev", far, within=within)
        _ip("link", "set", far, "up", within=within)
        relay = Relay(str(here), port)
        ends.callback(relay.close)
        yield Wire(relay, str(here), near, within)


def networks_may_be_made() -> bool:
    """Tell whether we may make a network, and have what it takes."""
    if not all(shutil.which(name) for name in ("ip", "unshare", "nsenter")):
        return False
    asked = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "pbxtry", "type", "veth"], capture_output=True, check=False
    )
    return asked.returncode == 0


def _ip(*words: str, within: tuple[str, ...] = ()) -> None:
    subprocess.run([*within, "ip", *words], check=True)


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
