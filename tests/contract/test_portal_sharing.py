"""A link is mailed through a real mail server, read back, followed by somebody without an account, and dies."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from portal_stage import PortalClient, PortalStage
from sqlalchemy import select, update
from test_mail import PostOffice, Server

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.mail_outbox import DatabaseOutbox
from pbx_plugin.db.models import AuditRow, LinkOpeningRow, MailRow, MediaRow, MediaState, RecordingRow, ShareLinkRow
from pbx_plugin.domain.handing import Rules
from pbx_plugin.mail.smtp import SmtpSender
from pbx_plugin.portal.guessing import FREE
from pbx_plugin.services.mailing import deliver
from pbx_plugin.settings import MailServer

PUBLIC = "https://calls.example.com"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[PortalStage]:
    folder = tmp_path_factory.mktemp("sharing")
    made = PortalStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        yield made


@pytest.fixture
def post() -> PostOffice:
    return PostOffice()


@pytest.fixture
def mail_server(post: PostOffice) -> Iterator[Server]:
    made = Server(post, hostname="127.0.0.1", port=0)
    made.start()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _usual(stage: PortalStage) -> None:
    set_rules(stage)
    # Whatever was guessed in the test before is forgotten.
    stage.later(minutes=11)


def set_rules(stage: PortalStage, **values: Any) -> None:
    with stage.desk(stage.own) as desk:
        pass
    DatabaseHanding(stage.engine).save_rules(desk, Rules(**{"downloads": True, **values}))


def share(stage: PortalStage, recording: str, role: str = "superuser", **form: Any) -> Any:
    return stage.client(role).post(f"/recordings/{recording}/share", {"recipient": "anna@example.com", **form})


def path_of(stage: PortalStage) -> str:
    """The path of the link that was mailed last, from the outbox: its token is nowhere else."""
    with reading(stage.engine) as session:
        secret = session.scalars(select(MailRow.secret).order_by(MailRow.seq.desc()).limit(1)).one()
    return f"/s/{secret}"


def audited(stage: PortalStage, recording: str) -> list[str]:
    with reading(stage.engine) as session:
        query = select(AuditRow.action).where(AuditRow.subject == recording).order_by(AuditRow.seq)
        return list(session.scalars(query))


def test_a_mailed_link_plays_without_an_account_and_is_dead_after_24_hours(
    stage: PortalStage, post: PostOffice, mail_server: Server
) -> None:
    recording = stage.recording("anna", number="+4531200118", seconds=3)
    assert share(stage, recording, subject="The offer of Monday").status_code == 303
    settings = MailServer(host="127.0.0.1", port=mail_server.port, tls="none", sender="recording@company.example")
    with SmtpSender(settings) as sender:
        assert deliver(DatabaseOutbox(stage.engine), sender, stage.now).sent == 1
    ((to, mail),) = post.taken
    text = str(mail.get_content()).replace("\r\n", "\n")
    assert (to, mail["Subject"]) == (["anna@example.com"], "The offer of Monday")
    for told in ("Anna 1", "101", "incoming", "+4531200118", "0:03", "sends you a recorded telephone call"):
        assert told in text
    link = re.search(r"http://127\.0\.0\.1:\d+(/s/[A-Za-z0-9_-]{43})\n", text)
    assert link is not None
    assert link[1].removeprefix("/s/") not in repr(everything(stage))
    stranger = stage.client()
    page = stranger.get(link[1])
    assert page.status_code == 200
    for told in ("Anna 1", "+4531200118", "0:03"):
        assert told in page.text
    assert "/recordings" not in page.text
    assert "<nav" not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "noindex" in page.headers["X-Robots-Tag"]
    audio = re.search(r'src="(/s/[^"]+/audio)"', page.text)
    assert audio is not None
    part = stranger.get(audio[1], headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.content), part.content[:4]) == (206, 100, b"RIFF")
    whole = stranger.get(audio[1])
    assert part.headers["Content-Range"] == f"bytes 0-99/{len(whole.content)}"
    assert stranger.http.head(audio[1]).headers["Content-Length"] == str(len(whole.content))
    assert audited(stage, recording)[:3] == ["mailed", "link opened", "link listened"]
    listed = stage.client("superuser").get(f"/recordings/{recording}/share").text
    assert "anna@example.com" in listed
    assert "127.0.0.1" in listed
    stage.later(hours=23, minutes=59)
    assert stranger.get(link[1]).status_code == 200
    stage.later(minutes=1)
    gone = stranger.get(link[1])
    assert gone.status_code == 404
    assert stranger.get(audio[1]).status_code == 404
    assert "Anna 1" not in gone.text


def everything(stage: PortalStage) -> list[Any]:
    with stage.engine.connect() as connection:
        return list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]


@pytest.mark.wide
def test_dead_links_of_every_kind_are_answered_alike(stage: PortalStage) -> None:
    paths: dict[str, str] = {}
    recordings = [stage.recording("anna") for _ in range(4)]
    for kind, recording in zip(("revoked", "expired", "erased", "deleted"), recordings, strict=True):
        share(stage, recording)
        paths[kind] = path_of(stage)
        assert stage.client().get(paths[kind]).status_code == 200
    with writing(stage.engine) as session:
        link = session.scalars(select(ShareLinkRow.id).where(ShareLinkRow.recording_id == recordings[0])).one()
        session.execute(
            update(ShareLinkRow).where(ShareLinkRow.recording_id == recordings[1]).values(expires_at=stage.now())
        )
        media = session.scalars(select(RecordingRow.media_id).where(RecordingRow.id == recordings[2])).one()
        session.execute(update(MediaRow).where(MediaRow.id == media).values(state=MediaState.ERASED, path=""))
    boss = stage.client("superuser")
    assert boss.post(f"/recordings/{recordings[0]}/links/{link}/revoke").status_code == 303
    form = {"ids": recordings[3], "understood": "yes"}
    assert boss.post("/selection/delete/confirmed", form).status_code == 303
    paths |= {"unknown": "/s/" + "A" * 43, "short": "/s/abc", "odd": "/s/%00%ff"}
    answers = {}
    for kind, path in paths.items():
        # A part in the middle, too: nothing is noted of it that would be refused.
        for more, asked in (("", ""), ("/audio", ""), ("/audio", "bytes=100-200")):
            answer = stage.client().get(path + more, headers={"Range": asked} if asked else {})
            told = re.sub(r"(csrf|nonce|CSRF)[^>]*", "", answer.text)
            answers[kind + more + asked] = (answer.status_code, told, answer.headers["Referrer-Policy"])
    assert len(set(answers.values())) == 1, {kind: found[0] for kind, found in answers.items()}


@pytest.mark.wide
def test_a_one_time_link_opens_in_one_browser_and_a_look_does_not_open_it(stage: PortalStage) -> None:
    recording = stage.recording("anna", number="+4531200118")
    share(stage, recording, one_time="true")
    path = path_of(stage)
    scanner = stage.client()
    for _ in range(3):
        look = scanner.get(path)
        assert (look.status_code, "+4531200118" in look.text) == (200, False)
        assert scanner.get(f"{path}/audio").status_code == 404
    people = [stage.client() for _ in range(4)]
    answers: list[int] = []
    threads = [threading.Thread(target=lambda one=one: answers.append(one.post(path).status_code)) for one in people]
    for one in people:
        one.get(path)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 404, 404, 404]
    heard = [(one.get(path).status_code, one.get(f"{path}/audio").status_code) for one in people]
    assert sorted(heard) == [(200, 200), (404, 404), (404, 404), (404, 404)]
    first: PortalClient = next(one for one in people if one.get(path).status_code == 200)
    stage.later(minutes=61)
    assert first.get(path).status_code == 404
    assert audited(stage, recording).count("link opened") == 1 + 2


def test_who_may_not_mail_links_cannot(stage: PortalStage) -> None:
    recording, other = stage.recording("anna"), stage.recording("bo")
    codes = {role: share(stage, recording, role).status_code for role in ("own", "none", "foreign", "group leader")}
    assert codes == {"own": 403, "none": 404, "foreign": 404, "group leader": 404}
    assert share(stage, recording, "team leader").status_code == 303
    assert share(stage, other, "team leader").status_code == 404
    assert stage.client().post(f"/recordings/{recording}/share").status_code in (302, 303)
    set_rules(stage, links=False)
    assert share(stage, recording).status_code == 403


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"recipient": "anna"}, "is no e-mail address"),
        ({"recipient": "a@b.c\r\nBcc: x@y.z"}, "is no e-mail address"),
        ({"recipient": "a@b.c, x@y.z"}, "is no e-mail address"),
        ({"recipient": ""}, "recipient"),
        ({"hours": "169"}, "1 to 168"),
        ({"hours": "0"}, "1 to 168"),
        ({"hours": "-1"}, "digits"),
        ({"subject": "x" * 121}, "at most 120"),
    ],
)
def test_a_link_that_cannot_be_sent_says_why_and_keeps_what_was_typed(
    stage: PortalStage, form: dict[str, str], why: str
) -> None:
    recording = stage.recording("anna")
    answer = share(stage, recording, **form)
    assert answer.status_code == 422
    assert why in answer.text
    assert audited(stage, recording) == []


HOSTILE_CALLERS = (
    "+45\r\nBcc: all@example.com\r\n\r\nClick here",
    "a\nTo: all@example.com",
    "b\rCc: all@example.com",
    "c\u2028Bcc: all@example.com\x85Bcc: all@example.com\x0bBcc: all@example.com",
    "d\r\n.\r\nMAIL FROM:<x@y.z>\r\nRCPT TO:<all@example.com>",
    "e =?utf-8?q?=0d=0aBcc:_all=40example.com?=",
    "f\0\u202eg \U0001f4de",
)


def test_no_caller_s_number_adds_a_header_a_reader_or_a_line_to_a_mail(
    stage: PortalStage, post: PostOffice, mail_server: Server
) -> None:
    settings = MailServer(host="127.0.0.1", port=mail_server.port, tls="none", sender="recording@company.example")
    # What other tests have mailed goes first.
    with SmtpSender(settings) as sender:
        deliver(DatabaseOutbox(stage.engine), sender, stage.now)
    post.taken.clear()
    for number in ("+4531200118", *HOSTILE_CALLERS):
        assert share(stage, stage.recording("anna", number=number)).status_code == 303
    with SmtpSender(settings) as sender:
        assert deliver(DatabaseOutbox(stage.engine), sender, stage.now).sent == len(HOSTILE_CALLERS) + 1
    assert [to for to, _ in post.taken] == [["anna@example.com"]] * (len(HOSTILE_CALLERS) + 1)
    harmless = post.taken[0][1]
    for (_, mail), number in zip(post.taken[1:], HOSTILE_CALLERS, strict=True):
        ours = set(harmless.keys()) | {"Content-Transfer-Encoding"}
        assert set(mail.keys()) <= ours, number
        assert (mail["To"], mail["Subject"]) == ("anna@example.com", harmless["Subject"])
        text = str(mail.get_content())
        assert len(text.splitlines()) == len(str(harmless.get_content()).splitlines()), number


def test_hostile_words_stay_words_in_mail_and_page(stage: PortalStage) -> None:
    recording = stage.recording("anna", number="<script>alert(1)</script>\r\nBcc: x@y.z {code}")
    share(stage, recording, subject="Hello\r\nBcc: x@y.z \u202etxt")
    with reading(stage.engine) as session:
        mail = session.scalars(select(MailRow).order_by(MailRow.seq.desc()).limit(1)).one()
    assert (mail.subject, "\r" in mail.body) == ("Hello Bcc: x@y.z txt", False)
    assert mail.body.count("{code}") == 2
    assert mail.body.rpartition("{code}")[0].endswith("/s/")
    page = stage.client().get(path_of(stage)).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_only_its_own_recording_plays_and_odd_ranges_do_no_harm(stage: PortalStage) -> None:
    recording = stage.recording("anna", seconds=1)
    share(stage, recording)
    path, stranger = path_of(stage), stage.client()
    for more in ("/peaks", "/../recordings", "/audio/x", f"/{recording}"):
        assert stranger.get(path + more).status_code in (303, 404)
    size = len(stranger.get(f"{path}/audio").content)
    for asked, status in (
        ("bytes=-5", 206),
        (f"bytes={size - 1}-", 206),
        (f"bytes={size}-", 416),
        ("bytes=0-1,5-6", 200),
        ("bytes=9999999999999999999999-", 200),
        ("lines=1-2", 200),
        ("bytes=5-1", 200),
        ("x" * 501, 422),
    ):
        assert stranger.get(f"{path}/audio", headers={"Range": asked}).status_code == status, asked


@pytest.mark.wide
def test_whoever_guesses_has_to_wait(migrated_file: Path, tmp_path: Path) -> None:
    stage = PortalStage(tmp_path, Path(shutil.copy(migrated_file, tmp_path / "pbx.sqlite")))
    with stage.served():
        codes = [stage.client().get(f"/s/{number:043}").status_code for number in range(FREE + 2)]
        assert codes == [404] * FREE + [429] * 2
        stage.later(minutes=11)
        assert stage.client().get("/s/" + "B" * 43).status_code == 404


def test_a_limit_of_listeners_counts_links_too(stage: PortalStage) -> None:
    recordings = [stage.recording("anna", seconds=1) for _ in range(2)]
    paths = []
    for recording in recordings:
        share(stage, recording)
        paths.append(path_of(stage))
    set_rules(stage, listeners_most=1)
    assert stage.client().get(f"{paths[0]}/audio").status_code == 200
    full = stage.client().get(f"{paths[1]}/audio")
    assert (full.status_code, full.headers["Retry-After"]) == (503, "30")
    assert "anna@example.com" not in full.text
    assert stage.client().get(f"{paths[0]}/audio").status_code == 200
    settings = stage.client("superuser").get("/settings/handing").text
    assert "anna@example.com" in settings
    stage.later(seconds=31)
    assert stage.client().get(f"{paths[1]}/audio").status_code == 200


def test_openings_are_kept_with_time_and_address(stage: PortalStage) -> None:
    recording = stage.recording("anna")
    share(stage, recording)
    stage.client().get(path_of(stage))
    with reading(stage.engine) as session:
        row = session.scalars(select(LinkOpeningRow).order_by(LinkOpeningRow.seq.desc()).limit(1)).one()
    assert (row.address, row.what) == ("127.0.0.1", "page")
