"""The manager session says what went wrong, in time, and does nothing twice. Half the trouble is played by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dialplan_asterisk import Site, site, wait_until
from pydantic import SecretStr

from pbx_plugin.asterisk.ami import AmiClient, AmiError, AmiUnreachableError
from pbx_plugin.sandbox.instance_ports import free_port
from pbx_plugin.settings import Ami


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = site(tmp_path_factory.mktemp("ami"))
    with place.asterisk:
        yield place


async def test_a_command_answers_line_by_line_with_every_letter(running: Site) -> None:
    async with AmiClient(running.administrator) as ami:
        assert await ami.command("database put probe name Ødegård-山田") == ["Updated database successfully"]
        shown = await ami.command("database show probe")
        assert [line.split(":")[1].strip() for line in shown if line.startswith("/probe")] == ["Ødegård-山田"]
        await ami.ping()


async def test_a_list_comes_whole(running: Site) -> None:
    async with AmiClient(running.ami) as ami:
        answers = await ami.action({"Action": "ShowDialPlan", "Context": "administrators-own"})
    assert answers[0]["Response"] == "Success"
    assert [answer.get("Extension") for answer in answers[1:-1]] == ["1"]
    assert answers[-1]["ListExtensions"] == "1"


async def test_a_wrong_password_is_told_at_once(running: Site) -> None:
    wrong = running.ami.model_copy(update={"secret": SecretStr("incorrect-horse")})
    with pytest.raises(AmiError, match=r"refused user 'pbxrec': Authentication failed") as refused:
        async with AmiClient(wrong):
            pass
    assert "horse" not in str(refused.value)


async def test_an_unknown_context_is_asterisks_no(running: Site) -> None:
    async with AmiClient(running.ami) as ami:
        with pytest.raises(AmiError, match="Did not find context"):
            await ami.action({"Action": "ShowDialPlan", "Context": "nowhere"})
        await ami.ping()


@pytest.mark.parametrize(
    "action",
    [
        {"Action": "Command", "Command": "core show version"},
        {"Action": "Originate", "Channel": "Local/1@administrators-own", "Application": "System", "Data": "true"},
        {"Action": "ModuleLoad", "Module": "app_queue.so", "LoadType": "reload"},
        {"Action": "DialplanExtensionAdd", "Context": "x", "Extension": "1", "Priority": "1", "Application": "NoOp"},
        {"Action": "MixMonitor", "Channel": "x", "File": "x"},
        {"Action": "Getvar", "Variable": "EPOCH"},
        {"Action": "DBPut", "Family": "x", "Key": "x", "Val": "x"},
    ],
    ids=lambda action: action["Action"],
)
async def test_the_account_for_loading_can_do_nothing_else(running: Site, action: dict[str, str]) -> None:
    async with AmiClient(running.ami) as ami:
        with pytest.raises(AmiError, match="Permission denied"):
            await ami.action(action)


@pytest.mark.parametrize("value", ["x\r\nAction: Originate", "x\ny", "x\0"])
async def test_a_line_break_never_becomes_a_second_header(running: Site, value: str) -> None:
    async with AmiClient(running.ami) as ami:
        with pytest.raises(ValueError, match="'Context' holds a line break"):
            await ami.action({"Action": "ShowDialPlan", "Context": value})
    with pytest.raises(ValueError, match="line break"):
        async with AmiClient(running.ami.model_copy(update={"user": value})):
            pass


async def test_a_frozen_asterisk_is_noticed_and_ends_the_session(running: Site) -> None:
    async with AmiClient(running.ami, timeout=1.5) as ami:
        running.asterisk.freeze()
        try:
            # The signal reaches the threads one by one; until the last one stands, a ping may still be answered.
            tasks = Path(f"/proc/{running.asterisk.pid}/task")
            assert wait_until(lambda: {stat.read_text().rsplit(")", 1)[1][1] for stat in tasks.glob("*/stat")} == {"T"})
            with pytest.raises(AmiUnreachableError, match=r"within 1\.5 s"):
                await ami.ping()
        finally:
            running.asterisk.thaw()
        with pytest.raises(AmiUnreachableError, match="is closed"):
            await ami.ping()


async def test_nobody_there_is_told(running: Site) -> None:
    with pytest.raises(AmiUnreachableError, match="no manager interface at"):
        async with AmiClient(Ami(host="127.0.0.1", port=free_port())):
            pass


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


@asynccontextmanager
async def played(talk: Talk) -> AsyncIterator[tuple[Ami, list[bytes]]]:
    """A manager interface played by hand: it logs everyone in, then talks; and what it was told."""
    told: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        login = await reader.readuntil(b"\r\n\r\n")
        told.append(login)
        writer.write(b"Response: Success\r\n" + action_id(login) + b"Message: Authentication accepted\r\n\r\n")
        try:
            while True:
                told.append(await reader.readuntil(b"\r\n\r\n"))
                await talk(reader, writer, len(told))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Ami(port=server.sockets[0].getsockname()[1]), told


def action_id(request: bytes) -> bytes:
    return next(line for line in request.splitlines(keepends=True) if line.startswith(b"ActionID"))


async def test_a_letter_split_between_two_segments_stays_whole() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> None:
        del reader, count
        head, letter = b"Response: Success\r\n" + action_id(told[-1]) + b"Output: gr", "ü".encode()
        writer.write(head + letter[:1])
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(letter[1:] + b"\xc3\x9fe\r\n\r\n")

    async with played(talk) as (account, told), AmiClient(account, timeout=2) as ami:
        assert await ami.command("x") == ["grüße"]


async def test_a_lost_connection_is_told_at_once_and_nothing_is_asked_again() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> None:
        del reader, count
        writer.close()

    async with played(talk) as (account, told):
        start = time.monotonic()
        with pytest.raises(AmiUnreachableError, match="lost"):
            async with AmiClient(account, timeout=5) as ami:
                await ami.action({"Action": "Reload", "Module": "pbx_config.so"})
        assert time.monotonic() - start < 2
        # panoramisk would come back after two seconds, log in, and might send it again.
        await asyncio.sleep(2.3)
        assert [request.splitlines()[0] for request in told] == [b"Action: Login", b"Action: Reload"]
