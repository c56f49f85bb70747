"""The FastAGI server against clients that are not Asterisk, and the star code's script."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from agi_asterisk import SpokenAsterisk, words
from asterisk.agi import AGIHangup

from pbx_plugin.agi.toggle import toggle
from pbx_plugin.asterisk.agi import AgiConnectionLostError, AgiSession
from pbx_plugin.asterisk.fastagi import FastAgiServer

Start = Callable[..., FastAgiServer]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[FastAgiServer] = []

    def _start(**options: object) -> FastAgiServer:
        routes = options.pop("routes", {"toggle": toggle})
        running.append(FastAgiServer("127.0.0.1", 0, routes, **options))  # type: ignore[arg-type]
        running[-1].start()
        return running[-1]

    yield _start
    for server in running:
        server.stop(grace=0.2)


def connect(server: FastAgiServer) -> socket.socket:
    return socket.create_connection(server.address, timeout=5)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def pressed(server: FastAgiServer) -> bool:
    """Tell whether a press of the star code reaches Asterisk as an event."""
    return len(SpokenAsterisk(server.address, "toggle").run().timeline) == 2


def test_the_star_code_tells_the_log_and_sends_one_event_from_the_presser_and_nothing_else(start: Start) -> None:
    asterisk = SpokenAsterisk(start().address, "toggle", headers={"agi_uniqueid": "1760000000.9"}).run()

    logged, command = asterisk.timeline
    assert words(str(logged)) == ["EXEC", "CELGenUserEvent", "PBXRecToggle,"]
    assert words(str(command)) == ["EXEC", "UserEvent", "PBXRecToggle,uniqueid: 1760000000.9"]


def test_the_star_code_answers_within_milliseconds(start: Start) -> None:
    server = start()
    took = []
    for _ in range(20):
        began = time.perf_counter()
        assert pressed(server)
        took.append(time.perf_counter() - began)
    assert sorted(took)[len(took) // 2] < 0.05


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\n",
        b"agi_network_script: toggle\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"agi_network_script: ../../etc/passwd\n\n",
        b"agi_network_script: \xff\xfe\n\n",
        b"agi_x: " + b"x" * 100_000,
        b"agi_x: 1\n" * 10_000,
        b"\x00" * 10_000 + b"\n",
    ],
)
def test_whoever_sends_nonsense_and_leaves_harms_nobody(start: Start, sent: bytes) -> None:
    server = start()
    with connect(server) as connection:
        try:
            connection.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            assert len(sent) > 1000
    assert pressed(server)


def test_a_client_that_says_nothing_is_sent_away(start: Start) -> None:
    server = start(header_seconds=0.2)
    with connect(server) as silent:
        assert is_closed(silent)


def test_a_client_that_drips_its_headers_is_sent_away_as_soon(start: Start) -> None:
    server = start(header_seconds=0.3)
    began = time.monotonic()
    with connect(server) as slow:
        try:
            while time.monotonic() < began + 5:
                slow.sendall(b"agi_x: 1\n")
                time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            assert time.monotonic() < began + 2
        else:
            pytest.fail("the client could go on for ever")


def test_clients_that_hang_about_do_not_keep_others_waiting(start: Start) -> None:
    server = start()
    idle = [connect(server) for _ in range(20)]
    try:
        assert pressed(server)
    finally:
        for connection in idle:
            connection.close()


def test_a_call_too_many_is_turned_away_at_once_and_later_ones_are_served(start: Start) -> None:
    server = start(max_sessions=2)
    with connect(server), connect(server), connect(server) as too_many:
        assert is_closed(too_many)
    until = time.monotonic() + 5
    while not pressed(server):
        assert time.monotonic() < until


def test_a_script_that_fails_takes_only_its_own_call_with_it(start: Start) -> None:
    def broken(_session: AgiSession) -> None:
        raise ZeroDivisionError

    server = start(routes={"toggle": toggle, "broken": broken})
    assert SpokenAsterisk(server.address, "broken").run().timeline == []
    assert pressed(server)


def test_stopping_lets_go_of_running_calls_and_of_the_port(start: Start) -> None:
    ended: list[BaseException] = []
    begun = threading.Event()

    def waits(session: AgiSession) -> None:
        begun.set()
        try:
            session.get_key("/prompts/x", 1000)
        except AGIHangup as hangup:
            ended.append(hangup)

    server = start(routes={"waits": waits})
    address = server.address
    with connect(server) as asterisk:
        asterisk.sendall(b"agi_network_script: waits\n\n")
        assert begun.wait(5)
        server.stop(grace=0.1)
        assert asterisk.recv(100).startswith(b"GET DATA")
        assert is_closed(asterisk)
    again = FastAgiServer(*address, {"toggle": toggle})
    again.start()
    try:
        assert pressed(again)
        assert [type(one) for one in ended] == [AgiConnectionLostError]
    finally:
        again.stop()
