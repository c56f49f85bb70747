"""Addresses, forms and headers that ask for more than there is: names of other places, ranges, values twice, SQL."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from portal_stage import PortalStage
from sqlalchemy import func, select

from pbx_plugin.db.engine import reading
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.models import AccountRow, RecordingRow
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.handing import Rules
from pbx_plugin.portal.cookies import SAID, SESSION

pytestmark = pytest.mark.wide


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[PortalStage]:
    folder = tmp_path_factory.mktemp("abuse")
    made = PortalStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        with made.desk(made.own) as desk:
            pass
        DatabaseHanding(made.engine).save_rules(desk, Rules(downloads=True))
        yield made


@pytest.fixture(scope="module")
def recording(stage: PortalStage) -> str:
    return stage.recording("anna")


ELSEWHERE = ["../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fpbx.sqlite", "..%5c..%5c"]


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize(
    "place",
    [
        "/static/{}",
        "/recordings/{}",
        "/recordings/{}/audio",
        "/recordings/{}/download/wav",
        "/exports/{}/file",
        "/s/{}",
    ],
)
def test_no_address_leads_to_another_place_on_the_disk(stage: PortalStage, name: str, place: str) -> None:
    path = place.format(name)
    answer = as_it_is(stage, path)
    assert re.match(r"HTTP/1\.1 (303|404) ", answer), answer.partition("\r\n")[0]
    assert "root:" not in answer
    assert "SQLite" not in answer


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-0,1-1,2-2",
        "bytes=" + ",".join("0-" for _ in range(100)),
        "bytes=-99999999999999999999",
        "bytes=99999999999999999999-",
        "bytes=5-1",
        "bytes=-0",
        "bytes=--1",
        "bytes=0-99999999999999999999",
        "lines=0-1",
        "bytes=a-b",
        "bytes=١-٢".encode().decode("latin-1"),
    ],
)
def test_an_odd_range_gives_no_more_than_the_file_and_breaks_nothing(
    stage: PortalStage, recording: str, asked: str
) -> None:
    client = stage.client("own")
    whole = client.get(f"/recordings/{recording}/audio").content
    answer = client.http.get(f"/recordings/{recording}/audio", headers={b"Range": asked.encode("latin-1")})
    assert answer.status_code in (200, 206, 416)
    if answer.status_code == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"
    else:
        assert len(answer.content) == int(answer.headers["content-length"]) <= len(whole)
        assert answer.content in whole


def test_a_value_that_comes_twice_or_that_no_form_has_gives_nobody_more(stage: PortalStage) -> None:
    account = stage.account("twice@one.example")
    client = stage.client("superuser")
    form = {"email": "twice@one.example", "name": "Twice", "role": ["none", "none"], "tenant_id": stage.other.tenant.id}
    form |= {"id": "x", "must_change": "", "password_hash": "x", "active": ""}
    assert client.post(f"/accounts/{account.id}", form).status_code == 303
    with reading(stage.engine) as session:
        row = session.get_one(AccountRow, account.id)
        assert row.tenant_id == stage.own.tenant.id
        assert row.active
        assert row.password_hash not in ("", "x")
    mine = stage.client("own")
    own = stage.viewer("own").account_id
    assert mine.post(f"/accounts/{own}", {"role": "superuser", "email": "anna@one.example"}).status_code == 403
    changed = mine.post("/account/password", {"old": "", "new": "", "again": "", "role": "superuser", "id": account.id})
    assert changed.status_code == 422
    assert stage.viewer("own").role is Role.OWN


SQL = [
    "' OR 1=1 --",
    '" OR ""="',
    "%' OR '%'='",
    "1); DROP TABLE recording; --",
    "\\' UNION SELECT 1 --",
    "*",
    "a* OR b*",
]


@pytest.mark.parametrize("name", ["text", "number", "ddi", "user", "tag", "api_tag", "department", "outcome", "sort"])
def test_a_search_is_words_never_a_query(stage: PortalStage, recording: str, name: str) -> None:
    client = stage.client("own")
    stage.recording("cilla", number="+4599000001")
    with reading(stage.engine) as session:
        before = session.scalar(select(func.count()).select_from(RecordingRow))
    for words in SQL:
        answer = client.get(f"/recordings?period=all&{name}={quote(words)}")
        assert answer.status_code in (200, 422), words
        assert "+4599000001" not in answer.text
        assert client.get(f"/recordings/count?period=all&{name}={quote(words)}").status_code in (200, 422)
    with reading(stage.engine) as session:
        assert session.scalar(select(func.count()).select_from(RecordingRow)) == before
    assert recording in client.get("/recordings?period=all").text


@pytest.mark.parametrize(
    "words",
    ["/\r\nSet-Cookie: a=b", "/%0d%0aSet-Cookie:%20a=b", "//evil.example", "https://evil.example", "/\\evil.example"],
)
def test_no_way_on_adds_a_header_or_leads_elsewhere(stage: PortalStage, words: str) -> None:
    client = stage.client("own")
    for answer in (
        client.get(f"/sign-in?next={quote(words)}"),
        client.post("/language", {"language": "en"}, headers={"Referer": f"http://evil.example{quote(words)}"}),
        client.post("/recordings/saved", {"name": words.replace("\r\n", " "), "query": "period=today"}),
    ):
        place = answer.headers.get("Location", "/")
        assert place.startswith("/")
        assert not place.startswith(("//", "/\\"))
        assert "a" not in answer.cookies


def test_what_is_said_on_the_next_page_is_only_words(stage: PortalStage) -> None:
    client = stage.client("own")
    client.http.cookies.set(SAID, quote("<script>alert(1)</script>"), domain="127.0.0.1")
    text = client.get("/account").text
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_no_session_s_secret_is_in_an_address_or_on_a_page(stage: PortalStage, recording: str) -> None:
    client = stage.client("superuser")
    secret = client.http.cookies[SESSION]
    for path in ("/", "/recordings", f"/recordings/{recording}", "/account", "/accounts", "/settings/handing"):
        answer = client.get(path)
        assert secret not in answer.text
        assert secret not in answer.headers.get("Location", "")
    stranger = stage.client()
    assert stranger.get(f"/account?{SESSION}={secret}").status_code == 303


def as_it_is(stage: PortalStage, path: str) -> str:
    """Ask for a path without any program tidying it up before."""
    with socket.create_connection(("127.0.0.1", int(stage.url.rpartition(":")[2])), timeout=20) as line:
        cookie = f"{SESSION}={stage.session('superuser')}"
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
        )
        said = b""
        while part := line.recv(65536):
            said += part
    return said.decode("latin-1")
