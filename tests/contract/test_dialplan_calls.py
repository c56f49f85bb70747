"""Real phones on the generated dialplan: who has the star code, what the call carries, and where it may go."""

import asyncio
import queue
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from dialplan_asterisk import ASKED, LINE_ADDRESS, PASSWORD, Site, company, site, wait_until

from pbx_plugin.asterisk.ami import AmiClient, AmiError
from pbx_plugin.asterisk.install import DialplanInstaller
from pbx_plugin.asterisk.load import AmiLoader
from pbx_plugin.asterisk.variables import FEATURES
from pbx_plugin.sandbox.phone import Phone

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BRIDGE = -2
"""The bridge's column in a row of ``core show channels concise``."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = site(tmp_path_factory.mktemp("calls"))
    with place.asterisk:
        loader = AmiLoader(place.ami)
        DialplanInstaller(place.etc, place.asterisk.folder / "backups", loader).install(
            place.generated(company()), NOON
        )
        yield place


def phone(running: Site, user: str) -> Phone:
    server = f"{running.asterisk.host}:{running.sip_port}"
    return Phone.start(user, server=server, register=True, password=PASSWORD)


@pytest.fixture(scope="module")
def anna(running: Site) -> Iterator[Phone]:
    with phone(running, "101") as started:
        yield started


@pytest.fixture(scope="module")
def bent(running: Site) -> Iterator[Phone]:
    with phone(running, "102") as started:
        yield started


@pytest.fixture(scope="module")
def line(running: Site) -> Iterator[Phone]:
    """The outside: calls in and can be called, without registering."""
    server = f"{running.asterisk.host}:{running.sip_port}"
    with Phone.start(
        "line", caller="+4531200118", address=LINE_ADDRESS, port=running.line_port, server=server
    ) as started:
        yield started


@pytest.fixture(scope="module")
def presses(running: Site) -> Iterator["queue.Queue[dict[str, str]]"]:
    """The requests that reach the AGI service."""
    came: queue.Queue[dict[str, str]] = queue.Queue()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            told = {}
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                told[name] = value.strip()
            came.put(told)

    class Server(socketserver.TCPServer):
        allow_reuse_address = True

    with Server((running.agi.host, running.agi.port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield came
        server.shutdown()
        thread.join()


def variable(running: Site, endpoint: str, name: str) -> str:
    """A variable of the one channel of an endpoint."""
    rows = running.asterisk.rx("core show channels concise").splitlines()
    [channel] = [row.split("!")[0] for row in rows if row.startswith(f"PJSIP/{endpoint}-")]

    async def ask() -> str:
        async with AmiClient(running.administrator) as ami:
            try:
                return (await ami.action({"Action": "Getvar", "Channel": channel, "Variable": name}))[0].get(
                    "Value", ""
                )
            except AmiError:
                return ""

    return asyncio.run(ask())


def together(running: Site, *endpoints: str) -> None:
    """Wait until these talk to each other: a phone hears of the answer before Asterisk has brought them together."""

    def in_one_bridge() -> bool:
        rows = running.asterisk.rx("core show channels concise").splitlines()
        bridges = [
            row.split("!")[BRIDGE] for row in rows if row.startswith(tuple(f"PJSIP/{one}-" for one in endpoints))
        ]
        return len(bridges) == len(endpoints) and len(set(bridges)) == 1 and bridges[0] not in ("", "(None)")

    assert wait_until(in_one_bridge), running.asterisk.rx("core show channels concise")


@pytest.fixture(autouse=True)
def quiet(running: Site, anna: Phone, bent: Phone, line: Phone) -> Iterator[None]:
    yield
    running.asterisk.rx("channel request hangup all")
    for one in (anna, bent, line):
        one.auto_off()
    assert wait_until(lambda: "0 active channels" in running.asterisk.rx("core show channels"))


def test_a_user_and_a_colleague_both_have_the_star_code(
    running: Site, anna: Phone, bent: Phone, presses: "queue.Queue[dict[str, str]]"
) -> None:
    bent.auto_answer()
    leg = anna.dial("102")
    answered = bent.wait_incoming()
    leg.wait("CONFIRMED")
    together(running, "101", "102")
    assert answered.caller_name == "Anna"
    for user, pressing in (("101", leg), ("102", answered)):
        assert variable(running, user, "DYNAMIC_FEATURES") == FEATURES
        assert variable(running, user, "TRANSFER_CONTEXT") == "pbxrec-users"
        pressing.dtmf("*4", duration_ms=80, gap_ms=60)
        press = presses.get(timeout=5)
        assert press["agi_channel"].startswith(f"PJSIP/{user}-")
        assert press["agi_network_script"] == "toggle"


def test_an_outside_caller_has_no_star_code_and_the_agent_who_answers_has(
    running: Site, anna: Phone, bent: Phone, line: Phone, presses: "queue.Queue[dict[str, str]]"
) -> None:
    anna.auto_answer()
    leg = line.dial("+4533120800")
    answered = anna.wait_incoming()
    bent.wait_incoming().wait_ended()
    leg.wait("CONFIRMED")
    together(running, "trunk", "101")
    assert variable(running, "trunk", "DYNAMIC_FEATURES") == ""
    assert variable(running, "trunk", "TRANSFER_CONTEXT") == "pbxrec-trunk"
    assert variable(running, "101", "DYNAMIC_FEATURES") == FEATURES
    assert variable(running, "101", "PBXREC_PRESENTED") == ASKED
    assert variable(running, "101", "PBXREC_DDI") == "+4533120800"
    leg.dtmf("*4", duration_ms=80, gap_ms=60)
    answered.wait_digits("*4")
    answered.dtmf("*4", duration_ms=80, gap_ms=60)
    assert presses.get(timeout=5)["agi_channel"].startswith("PJSIP/101-")
    assert presses.empty()


def test_a_queue_gives_the_agent_the_star_code(running: Site, anna: Phone, bent: Phone) -> None:
    bent.auto_answer()
    leg = anna.dial("802")
    leg.wait("CONFIRMED")
    bent.wait_incoming().wait("CONFIRMED")
    assert variable(running, "102", "DYNAMIC_FEATURES") == FEATURES
    assert variable(running, "102", "PBXREC_PRESENTED") == "a0000003"


def test_a_transferred_outsider_still_has_no_star_code_and_the_new_agent_has(
    running: Site, anna: Phone, bent: Phone, line: Phone
) -> None:
    anna.auto_answer()
    bent.auto_answer()
    leg = line.dial("33120101")
    first = anna.wait_incoming()
    leg.wait("CONFIRMED")
    together(running, "trunk", "101")  # before that, Asterisk refuses to transfer
    first.transfer("102")
    assert first.wait_transferred()["code"] == 200
    bent.wait_incoming()
    together(running, "trunk", "102")
    assert variable(running, "trunk", "DYNAMIC_FEATURES") == ""
    assert variable(running, "102", "DYNAMIC_FEATURES") == FEATURES
    assert variable(running, "102", "PBXREC_DDI") == "+4533120101"


def test_a_user_calls_out_and_only_the_user_has_the_star_code(running: Site, anna: Phone, line: Phone) -> None:
    line.auto_answer()
    leg = anna.dial("31200118")
    assert line.wait_incoming().called == "31200118"
    leg.wait("CONFIRMED")
    assert variable(running, "101", "DYNAMIC_FEATURES") == FEATURES
    assert variable(running, "trunk", "DYNAMIC_FEATURES") == ""


def test_an_emergency_call_carries_nothing_of_ours(running: Site, anna: Phone, line: Phone) -> None:
    line.auto_answer()
    leg = anna.dial("112")
    assert line.wait_incoming().called == "112"
    leg.wait("CONFIRMED")
    for name in ("DYNAMIC_FEATURES", "PBXREC_CONSENT", "PBXREC_PRESENTED"):
        assert variable(running, "101", name) == ""


@pytest.mark.parametrize("number", ["31200119", "004531200119", "112", "102", "800"])
def test_from_outside_nobody_gets_outside_or_at_an_inside_number(line: Phone, number: str) -> None:
    assert line.dial(number).wait_ended().code == 404


def test_a_busy_colleague_is_told_as_busy(anna: Phone, bent: Phone) -> None:
    bent.auto_refuse(486)
    assert anna.dial("102").wait_ended().code == 486
    bent.wait_incoming()
