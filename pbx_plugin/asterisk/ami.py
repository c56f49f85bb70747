"""Asterisk's manager interface for one short piece of work: log in, ask, leave.

A session is one connection, on panoramisk's protocol. It never reconnects, so nothing that was asked before a loss
can be asked again behind the caller's back; whoever wants to go on opens a new session.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message


class AmiError(Exception):
    """Asterisk refused: a wrong password, a right that is missing, an action that failed. Says Asterisk's own words."""


class AmiUnreachableError(Exception):
    """Asterisk did not answer: down, frozen, or the connection was lost. The session is over."""


class _Secret(Protocol):
    def get_secret_value(self) -> str: ...


class AmiAccount(Protocol):
    """What the settings' section ``ami`` must offer."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def secret(self) -> _Secret: ...


class AmiClient:
    """A manager session. Use as an async context manager; one task at a time.

    Every method waits at most ``timeout`` seconds and raises AmiError (Asterisk said no) or AmiUnreachableError
    (nothing came back; the session is then closed).
    """

    def __init__(self, account: AmiAccount, *, timeout: float = 10.0) -> None:
        self._account = account
        self._timeout = timeout
        self._manager: _Session | None = None

    async def __aenter__(self) -> Self:
        for value in (self._account.user, self._account.secret.get_secret_value()):
            _refuse_line_breaks("login", value)
        manager = _Session(
            loop=asyncio.get_running_loop(),
            host=self._account.host,
            port=self._account.port,
            username=self._account.user,
            secret=self._account.secret.get_secret_value(),
            events="off",
            protocol_factory=_Utf8Protocol,
            forgetable_actions=_Everything(),
            # We ask and wait; nobody listens for the answers to a ping of panoramisk's own.
            ping_delay=86_400,
        )
        self._manager = manager
        try:
            await asyncio.wait_for(manager.connect(), self._timeout)
            await self._answer(manager.login_answer())
        except OSError as error:
            # A TimeoutError is one of these.
            raise AmiUnreachableError(f"no manager interface at {self._where}: {error or 'no answer'}") from error
        except AmiError as error:
            await manager.leave()
            raise AmiError(f"the manager at {self._where} refused user {self._account.user!r}: {error}") from error
        except BaseException:
            manager.abort()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._manager is not None:
            await self._manager.leave()

    async def action(self, fields: Mapping[str, str]) -> list[dict[str, str]]:
        """Send an action (``{"Action": "Reload", …}``) and return its response and the list that followed, if any.

        A header that came several times holds all its values, one a line. Raises ValueError when a field has a line
        break, which would begin a header of its own.
        """
        for name, value in fields.items():
            _refuse_line_breaks(name, value)
        manager = self._manager
        if manager is None or not manager.authenticated:
            raise AmiUnreachableError(f"the session with {self._where} is closed")
        return await self._answer(manager.send_action(_Asked(dict(fields))))

    async def command(self, line: str) -> list[str]:
        """Run a line of Asterisk's command line and return what it printed, line by line.

        Needs the write class ``command``, which the account for loading the dialplan does not have.
        """
        answers = await self.action({"Action": "Command", "Command": line})
        return answers[0].get("Output", "").split("\n")

    async def ping(self) -> None:
        """Find out whether Asterisk still answers."""
        await self.action({"Action": "Ping"})

    @property
    def _where(self) -> str:
        return f"{self._account.host}:{self._account.port}"

    async def _answer(self, future: asyncio.Future[Any]) -> list[dict[str, str]]:
        try:
            came = await asyncio.wait_for(future, self._timeout)
        except TimeoutError as error:
            if self._manager is not None:
                self._manager.abort()
            raise AmiUnreachableError(f"no answer from {self._where} within {self._timeout:g} s") from error
        answers = [_plain(message) for message in (came if isinstance(came, list) else [came])]
        if answers[0].get("Response") not in ("Success", "Follows", "Goodbye"):
            raise AmiError(answers[0].get("Message") or f"no reason given ({answers[0].get('Response')})")
        return answers


class _Session(Manager):  # type: ignore[misc]
    """panoramisk's manager without its return: one connection, and every loss is told to whoever waits."""

    def connection_made(self, f: asyncio.Future[Any]) -> None:
        # A failed connect is raised where it is awaited; panoramisk would try again for ever.
        if not f.cancelled() and f.exception() is None:
            super().connection_made(f)

    def login(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            super().login(future)

    def login_answer(self) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = self.authenticated_future
        return answer

    def connection_lost(self, exc: object) -> None:
        del exc
        self.close()

    def close(self) -> None:
        self.authenticated = False
        super().close()

    async def leave(self) -> None:
        """Close, and wait until the socket is gone: a loop that ends earlier would leave it open."""
        self.abort()
        if self.protocol is not None:
            await self.protocol.gone.wait()

    def abort(self) -> None:
        self.close()
        if self.protocol is not None:
            self.protocol.transport.abort()


class _Asked(Action):  # type: ignore[misc]
    """An action whose answer is a list only when Asterisk says so.

    panoramisk also waits for the event that ends an asynchronous Originate, which a session without events never sees.
    """

    @property
    def multi(self) -> bool:
        return bool(self.responses[0].eventlist.lower() == "start")


class _Utf8Protocol(AMIProtocol):  # type: ignore[misc]
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.gone = asyncio.Event()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def data_received(self, data: bytes) -> None:
        # panoramisk decodes each TCP segment by itself and drops a letter that two segments share.
        super().data_received(self._decoder.decode(data).encode())

    def connection_lost(self, exc: object) -> None:
        self.gone.set()
        super().connection_lost(exc)

    def close(self) -> None:
        self._tell_waiters()
        super().close()

    def _tell_waiters(self) -> None:
        for action in self.responses.values():
            if not action.future.done():
                action.future.set_exception(AmiUnreachableError("the connection to Asterisk was lost"))
                # Marks it as seen: a waiter that has already given up does not ask for it any more.
                action.future.exception()


class _Everything:
    """Tells panoramisk that every action may be forgotten when the connection is lost."""

    def __contains__(self, name: object) -> bool:
        return True


def _plain(message: Message) -> dict[str, str]:
    # panoramisk adds an empty "content" to every message.
    return {
        name: "\n".join(value) if isinstance(value, list) else value
        for name, value in message.items()
        if name != "content"
    }


def _refuse_line_breaks(name: str, value: str) -> None:
    if any(sign in name + value for sign in "\r\n\0"):
        raise ValueError(f"manager field {name!r} holds a line break or a zero byte")
