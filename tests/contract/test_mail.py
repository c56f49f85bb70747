"""Users are told by mail that they are recorded, through a real SMTP server, and their acknowledgement is kept."""

from __future__ import annotations

import email
import email.policy
import hashlib
import re
import shutil
import socket
import sqlite3
from asyncio import Server as Listening
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cli_site import Said, Site

from pbx_plugin import clock
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.mail_outbox import DatabaseOutbox
from pbx_plugin.mail.smtp import SmtpSender
from pbx_plugin.services.mailing import PAUSES, deliver
from pbx_plugin.services.people_records import Mail
from pbx_plugin.settings import MailServer

pytestmark = pytest.mark.wide


class PostOffice:
    """What a mail server was given; it answers ``says`` to the next mails instead of taking them."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.says: list[str] = []
        self.connections = 0

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.says:
            return self.says.pop(0)
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append((list(envelope.rcpt_tos), message))
        return "250 OK"


class Server(Controller):
    """A mail server on a free port of the loopback."""

    def _trigger_server(self) -> None:
        # The port is only known once the server listens.
        assert isinstance(self.server, Listening)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@pytest.fixture
def post() -> PostOffice:
    return PostOffice()


@pytest.fixture
def server(post: PostOffice) -> Iterator[Server]:
    made = Server(post, hostname="127.0.0.1", port=0)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PBX_PLUGIN_CONFIG", "")
        site = Site(folder, migrated_file, "--company", "Company One")
        site.does("users", "add", "101", "Anna Ærø", "--email", "anna@example.com", "--language", "da")
        site.does("users", "add", "102", "Bo")
    return folder, Path(shutil.copy(site.database, folder / "staffed.sqlite"))


@pytest.fixture
def site(house: tuple[Path, Path], server: Server, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    monkeypatch.setenv("PBX_PLUGIN_MAIL__HOST", "127.0.0.1")
    monkeypatch.setenv("PBX_PLUGIN_MAIL__PORT", str(server.port))
    monkeypatch.setenv("PBX_PLUGIN_MAIL__TLS", "none")
    monkeypatch.setenv("PBX_PLUGIN_MAIL__SENDER", "recording@company.example")
    return Site.again(*house)


def mails(site: Site) -> list[dict[str, Any]]:
    return list(site.does("mail", "list", "--json").data)


def anna(site: Site) -> dict[str, Any]:
    return dict(site.does("users", "list", "--json").data[0])


def text_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


def secrets(site: Site) -> list[str | None]:
    database = sqlite3.connect(site.database)
    rows = database.execute("select secret from mail").fetchall()
    database.close()
    return [row[0] for row in rows]


def code_in(message: EmailMessage) -> str:
    found = re.search(r"kode: ([A-Z2-7]{24})\s", message.get_content())
    assert found is not None
    return found[1]


def test_an_enrolled_user_is_mailed_and_acknowledges_by_the_code(site: Site, post: PostOffice) -> None:
    site.does("users", "enrol", "101")
    assert (anna(site)["notice"], mails(site)[0]["state"]) == ("waiting", "pending")
    assert "1 sent" in site.does("mail", "run").out
    ((to, message),) = post.taken
    assert (to, message["From"], message["To"]) == (
        ["anna@example.com"],
        "recording@company.example",
        "anna@example.com",
    )
    assert message["Auto-Submitted"] == "auto-generated"
    (notice,) = site.does("users", "notices", "101", "--json").data
    assert text_of(message).startswith(notice["text"])
    assert "Kære Anna Ærø" in notice["text"]
    assert notice["text_sha256"] == hashlib.sha256(notice["text"].encode()).hexdigest()
    code = code_in(message)
    assert code not in repr(site.rows())
    assert "unknown" in site("users", "acknowledge", "--code", "A" * 24).err
    site.does("users", "acknowledge", "--code", f" {code[:12].lower()}-{code[12:]} ")
    known = anna(site)
    assert (known["notice"], known["acknowledged_by"]) == ("acknowledged", "Anna Ærø")
    (notice,) = site.does("users", "notices", "101", "--json").data
    assert notice["acknowledged_sha256"] == notice["text_sha256"]
    said = site("users", "acknowledge", "--code", code)
    assert (said.code, code in said.err) == (2, False)
    assert "0 sent" in site.does("mail", "run").out


def test_somebody_says_how_it_was_acknowledged_and_lists_who_has_not(site: Site) -> None:
    site.does("users", "enrol", "101", "102")
    assert [u["extension"] for u in site.does("users", "list", "--unacknowledged", "--json").data] == ["101", "102"]
    site.does("users", "acknowledge", "102", "--how", "signed on paper", "--actor", "Sofie")
    assert [u["extension"] for u in site.does("users", "list", "--unacknowledged", "--json").data] == ["101"]
    bo = site.does("users", "list", "--json").data[1]
    assert (bo["acknowledged_by"], bo["acknowledged_how"]) == ("Sofie", "signed on paper")
    before = site.rows()
    site.does("users", "acknowledge", "102", "--how", "by telephone")
    assert site.rows() == before
    site.does("users", "enrol", "102", "--undo")
    said = site("users", "acknowledge", "102", "--how", "by telephone")
    assert said.code == 2


def test_another_mode_is_told_anew_and_the_old_acknowledgement_does_not_count(site: Site, post: PostOffice) -> None:
    site.does("users", "enrol", "101")
    site.does("mail", "run")
    site.does("users", "acknowledge", "101", "--how", "by telephone")
    site.does("users", "set", "101", "--mode", "always")
    assert anna(site)["notice"] == "waiting"
    said = site("users", "acknowledge", "--code", code_in(post.taken[0][1]))
    assert said.code == 2
    site.does("users", "set", "101", "--name", "Anna B")
    assert len(site.does("users", "notices", "101", "--json").data) == 2
    site.does("mail", "run")
    assert "når virksomhedens regler tillader" in post.taken[1][1].get_content()


def test_the_code_of_an_earlier_notice_confirms_nothing(site: Site, post: PostOffice) -> None:
    site.does("users", "enrol", "101")
    site.does("mail", "run")
    site.does("users", "notify", "101")
    said = site("users", "acknowledge", "--code", code_in(post.taken[0][1]))
    assert (said.code, "earlier notice" in said.err) == (2, True)
    assert anna(site)["notice"] == "waiting"


def test_who_is_not_enrolled_any_more_is_not_mailed_that_they_are(site: Site, post: PostOffice) -> None:
    site.does("users", "enrol", "101")
    site.does("users", "enrol", "101", "--undo")
    assert mails(site)[0]["state"] == "cancelled"
    site.does("mail", "run")
    assert post.taken == []


def test_a_mail_that_does_not_go_now_goes_later_and_one_that_never_will_is_given_up(
    site: Site, post: PostOffice
) -> None:
    site.does("users", "set", "102", "--email", "bo@example.com")
    site.does("users", "enrol", "101", "102")
    post.says = ["451 come back later", "550 no such user\r\n"]
    said = site("mail", "run")
    assert (said.code, said.out) == (1, "0 sent, 1 to be tried again, 1 given up\n")
    bo, first = mails(site)
    assert (first["state"], first["attempts"], first["error"]) == (
        "pending",
        1,
        "the mail server says 451 come back later",
    )
    assert (bo["state"], "550 no such user" in bo["error"]) == ("failed", True)
    assert "0 sent" in site.does("mail", "run").out
    site.does("mail", "retry", first["id"][:8])
    assert "1 sent" in site.does("mail", "run").out
    assert site("mail", "retry", bo["id"]).code == 2
    assert secrets(site) == [None, None]


def test_while_the_server_is_away_mails_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.does("users", "enrol", "101")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        monkeypatch.setenv("PBX_PLUGIN_MAIL__PORT", str(port))
        said = site("mail", "run")
    assert said.code == 1
    assert f"127.0.0.1:{port} cannot be used" in said.err
    assert (mails(site)[0]["state"], mails(site)[0]["attempts"]) == ("pending", 0)


def test_many_mails_go_over_one_connection_and_each_has_its_own_code(
    site: Site, post: PostOffice, tmp_path: Path
) -> None:
    file = tmp_path / "users.csv"
    rows = "".join(f"{200 + n},User {n},u{n}@example.com,yes,da\n" for n in range(30))
    file.write_text(f"extension,name,email,enrolled,language\n{rows}", encoding="utf-8")
    site.does("users", "import", str(file))
    assert "30 sent" in site.does("mail", "run").out
    assert len({code_in(message) for _, message in post.taken}) == 30
    assert post.connections == 1


def test_a_password_or_a_mail_never_goes_in_clear_when_encryption_is_asked_for(
    site: Site, post: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.does("users", "enrol", "101")
    monkeypatch.setenv("PBX_PLUGIN_MAIL__TLS", "starttls")
    monkeypatch.setenv("PBX_PLUGIN_MAIL__USER", "recording")
    monkeypatch.setenv("PBX_PLUGIN_MAIL__PASSWORD", "hemmelig")
    said = site("mail", "run")
    assert (said.code, post.taken) == (1, [])
    assert "STARTTLS" in said.err
    monkeypatch.setenv("PBX_PLUGIN_MAIL__TLS", "none")
    refused = site("mail", "run")
    assert (refused.code, "in clear" in refused.err) == (2, True)
    assert "hemmelig" not in said.err + refused.err


def test_a_hostile_name_or_address_adds_no_line_to_a_mail(site: Site, post: PostOffice) -> None:
    name = "Eve\r\nBcc: all@example.com\r\n\r\nYou are not recorded \u202e{code}"
    site.does("users", "set", "101", "--name", name)
    site.does("users", "enrol", "101")
    site.does("mail", "run")
    ((to, message),) = post.taken
    assert to == ["anna@example.com"]
    assert message["Bcc"] is None
    assert "Kære Eve Bcc: all@example.com You are not recorded {code}\n" in text_of(message)
    for address in ("a@b\nBcc: c@d", "a@b\r\n", "<a>@b c"):
        assert site("users", "set", "101", "--email", address).code == 2
    site.does("users", "set", "102", "--email", "x,y@z")
    site.does("users", "enrol", "102")
    site.does("mail", "run")
    assert mails(site)[0]["state"] == "failed"


def test_without_a_mail_server_notices_wait_and_the_command_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PBX_PLUGIN_MAIL__HOST")
    site.does("users", "enrol", "101")
    said: Said = site("mail", "run")
    assert (said.code, "[mail] host" in said.err) == (2, True)


def test_the_code_is_shown_by_no_command(site: Site) -> None:
    site.does("users", "enrol", "101")
    (secret,) = secrets(site)
    assert secret is not None
    assert re.fullmatch("[A-Z2-7]{24}", secret)
    for words in (("mail", "list"), ("users", "notices", "101"), ("users", "list")):
        assert secret not in site.does(*words, "--json").out
    assert secret not in repr(site.rows()["audit"])
    database = sqlite3.connect(site.database)
    (kept,) = database.execute("select code_sha256 from enrolment_notice").fetchone()
    database.close()
    assert kept == hashlib.sha256(secret.encode()).hexdigest()


def test_a_mail_is_one_senders_alone_and_another_has_it_when_that_one_died(
    site: Site, post: PostOffice, server: Server
) -> None:
    site.does("users", "enrol", "101")
    engine = make_engine(f"sqlite:///{site.database}")
    outbox, other = DatabaseOutbox(engine), DatabaseOutbox(engine)
    at = clock.now() + timedelta(seconds=1)
    assert outbox.claim(at) is not None
    assert other.claim(at) is None
    # The first one dies here; the mail goes out with the same Message-ID as it would have had.
    settings = MailServer(host="127.0.0.1", port=server.port, tls="none")
    with SmtpSender(settings) as sender:
        done = deliver(other, sender, lambda: at + timedelta(minutes=11))
    engine.dispose()
    assert (done.sent, mails(site)[0]["id"] in post.taken[0][1]["Message-ID"]) == (1, True)


def test_a_mail_is_given_up_after_the_last_pause(site: Site, post: PostOffice, server: Server) -> None:
    site.does("users", "enrol", "101")
    engine = make_engine(f"sqlite:///{site.database}")
    at = clock.now() + timedelta(seconds=1)
    tries = 0
    with SmtpSender(MailServer(host="127.0.0.1", port=server.port, tls="none")) as sender:
        while mails(site)[0]["state"] == "pending":
            post.says = ["451 not now"]
            deliver(DatabaseOutbox(engine), sender, lambda at=at: at)  # type: ignore[misc]
            at += PAUSES[min(tries, len(PAUSES) - 1)]
            tries += 1
    engine.dispose()
    assert tries == len(PAUSES) + 1
    assert mails(site)[0]["state"] == "failed"


def test_mail_objects_do_not_show_their_secret() -> None:
    now = clock.now()
    assert "TOPSECRET" not in repr(Mail("1", "t", "p", now, "a@b", "s", "b", now, secret="TOPSECRET"))
