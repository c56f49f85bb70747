"""What every answer of the portal has, and what no request gets past: headers, foreign names, foreign pages, sizes."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from portal_stage import PASSWORD, PortalClient, PortalStage

from pbx_plugin.portal import csrf
from pbx_plugin.portal.cookies import SESSION, VISIT
from pbx_plugin.portal.door import local
from pbx_plugin.portal.static import FOLDER, StaticFiles

VENDOR = FOLDER / "vendor"
PUBLIC = "https://calls.example.com"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[PortalStage]:
    folder = tmp_path_factory.mktemp("portal")
    stage = PortalStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with stage.served():
        yield stage


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[PortalStage]:
    """A portal that people reach by https, through a proxy."""
    folder = tmp_path_factory.mktemp("https")
    stage = PortalStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")), public_url=PUBLIC)
    with stage.served():
        yield stage


def shows(stage: PortalStage, secret: str) -> PortalClient:
    """Return a program that shows the cookie of that session."""
    client = stage.client()
    client.http.cookies.set(SESSION, secret, domain="127.0.0.1")
    return client


PAGES = ["/sign-in", "/forgotten", "/nowhere", "/password/dead", "/account", "/accounts"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_headers_that_keep_people_safe(stage: PortalStage, path: str) -> None:
    answer = stage.client("superuser" if path.startswith("/account") else "stranger").get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers


def test_every_answer_has_a_nonce_of_its_own(stage: PortalStage) -> None:
    policies = {stage.client().get("/sign-in").headers["content-security-policy"] for _ in range(5)}
    assert len(policies) == 5


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_a_script_or_style_in_it_nor_anything_from_elsewhere(stage: PortalStage, path: str) -> None:
    text = stage.client("superuser" if path.startswith("/account") else "stranger").get(path).text
    assert re.findall(r"<script(?![^>]* src=)", text) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", text) == []
    assert [
        link for link in re.findall(r'(?:src|href|action)="([^"]*)"', text) if not link.startswith(("/", "#"))
    ] == []


def test_by_https_cookies_are_for_https_and_this_host_only(https: PortalStage) -> None:
    client = https.client()
    answer = client.get("/sign-in", headers={"Host": "calls.example.com"})
    assert answer.headers["strict-transport-security"] == "max-age=63072000"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"__Host-{VISIT}=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    visit = cookie.partition("=")[2].partition(";")[0]
    company, email = https.who("own")
    form = {"company": company.tenant.name, "email": email, "password": PASSWORD, csrf.FIELD: csrf.token(visit)}
    headers = {"Host": "calls.example.com", "Origin": PUBLIC, "Cookie": f"__Host-{VISIT}={visit}"}
    signed = client.http.post("/sign-in", data=form, headers=headers)
    assert signed.status_code == 303
    assert any(
        line.startswith(f"__Host-{SESSION}=") and "Secure" in line and "HttpOnly" in line
        for line in signed.headers.get_list("set-cookie")
    )


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil", "[::2]:80", "a b"])
def test_a_name_that_is_not_ours_is_refused(stage: PortalStage, host: str) -> None:
    answer = stage.client().get("/sign-in", headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "OWN", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "OWN.evil.example"},
    ],
)
def test_a_form_on_somebody_else_s_page_does_nothing(stage: PortalStage, headers: dict[str, str]) -> None:
    client = stage.client("own")
    sent = {name: value.replace("OWN", stage.url) for name, value in headers.items()}
    token = csrf.token(client.http.cookies[SESSION])
    answer = client.http.post("/sign-out", data={csrf.FIELD: token}, headers=sent)
    assert answer.status_code == 403
    assert client.get("/account").status_code == 200


def test_a_form_without_its_token_or_with_another_s_does_nothing(stage: PortalStage) -> None:
    client = stage.client("own")
    own, other = client.http.cookies[SESSION], stage.client("own").http.cookies[SESSION]
    headers = {"Origin": stage.url, "Sec-Fetch-Site": "same-origin"}
    good = csrf.token(own)
    for token in ("", "x", csrf.token(other), csrf.token(""), good[:-2], good + "AA", "ä", "=" * 90):
        answer = client.http.post("/sign-out", data={csrf.FIELD: token}, headers=headers)
        assert answer.status_code == 403, token
        assert "open too long" in answer.text
    assert client.get("/account").status_code == 200
    assert client.http.post("/sign-out", data={csrf.FIELD: good}, headers=headers).status_code == 303


def test_scripts_send_the_token_as_a_header(stage: PortalStage) -> None:
    client = stage.client("own")
    token = csrf.token(client.http.cookies[SESSION])
    headers = {"Sec-Fetch-Site": "same-origin", csrf.HEADER: token, "HX-Request": "true"}
    answer = client.http.post("/sign-out", headers=headers)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/sign-in")


def test_the_token_looks_different_on_every_page_and_fits_all_the_same(stage: PortalStage) -> None:
    client = stage.client("own")
    found = {re.findall(r'name="csrf" value="([^"]+)"', client.get("/account").text)[0] for _ in range(3)}
    assert len(found) == 3
    assert all(csrf.fits(token, client.http.cookies[SESSION]) for token in found)


def test_a_body_that_is_too_large_is_refused_said_or_unsaid(stage: PortalStage) -> None:
    client = stage.client()
    headers = {"Origin": stage.url, "Sec-Fetch-Site": "same-origin"}
    said = client.http.post("/sign-in", content=b"x" * 1_000_001, headers=headers)
    assert said.status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b"a=" + b"x" * 10_000

    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    unsaid = client.http.post("/sign-in", content=endless(), headers=headers | kind)
    assert unsaid.status_code == 413


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("/recordings?from=today&number=%2B45", "/recordings?from=today&number=%2B45"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("\\\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\tfoo", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("///evil.example", "/"),
        ("evil", "/"),
        ("", "/"),
        ("/[", "/["),
    ],
)
def test_after_signing_in_the_way_never_leads_elsewhere(stage: PortalStage, asked: str, leads: str) -> None:
    assert local(asked) == leads
    company, email = stage.who("own")
    form = {"company": company.tenant.name, "email": email, "password": PASSWORD, "next": asked}
    assert stage.client().post("/sign-in", form).headers["location"] == leads


def test_whoever_is_not_signed_in_is_led_in_and_back(stage: PortalStage) -> None:
    answer = stage.client().get("/account?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Faccount%3Fx%3D1")


def test_a_player_or_script_of_somebody_signed_out_is_told_so_and_not_led_anywhere(stage: PortalStage) -> None:
    player = stage.client().get("/account", headers={"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "audio"})
    assert player.status_code == 401
    htmx = stage.client().get("/account", headers={"HX-Request": "true", "Sec-Fetch-Mode": "cors"})
    assert htmx.headers["hx-redirect"].startswith("/sign-in")


def test_signing_in_makes_a_new_session_whatever_the_browser_had(stage: PortalStage) -> None:
    company, email = stage.who("own")
    form = {"company": company.tenant.name, "email": email, "password": PASSWORD}
    planted = stage.client()
    planted.http.cookies.set(SESSION, "planted-by-somebody-else", domain="127.0.0.1")
    assert planted.post("/sign-in", form).status_code == 303
    assert planted.http.cookies[SESSION] != "planted-by-somebody-else"

    client = stage.client("superuser")
    before = client.http.cookies[SESSION]
    assert client.post("/sign-in", form).status_code == 303
    assert client.http.cookies[SESSION] != before
    assert shows(stage, before).get("/account").status_code == 303


def test_changing_the_password_gives_another_session_and_ends_the_others(stage: PortalStage) -> None:
    stage.account("dora@one.example")
    client, other = stage.client("dora@one.example"), stage.client("dora@one.example")
    before = client.http.cookies[SESSION]
    form = {"old": PASSWORD, "new": "Another-Horse-9", "again": "Another-Horse-9"}
    assert client.post("/account/password", form).status_code == 303
    assert client.http.cookies[SESSION] != before
    assert client.get("/account").status_code == 200
    for dead in (shows(stage, before), other):
        assert dead.get("/account").status_code == 303


def test_too_many_tries_from_a_network_are_told_how_long_to_wait(https: PortalStage) -> None:
    client = https.client()
    headers = {"Host": "calls.example.com", "Origin": PUBLIC, "Cookie": f"__Host-{VISIT}=visit"}
    for number in range(60):
        form = {"company": "x", "email": f"n{number}@x.example", "password": "wrong", csrf.FIELD: csrf.token("visit")}
        answer = client.http.post("/sign-in", data=form, headers=headers)
        if answer.status_code == 429:
            break
        assert answer.status_code == 422
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Too many tries from your network" in answer.text


def test_what_was_typed_comes_back_escaped_and_a_password_never(stage: PortalStage) -> None:
    nasty = '"><script>alert(1)</script>'
    answer = stage.client().post("/sign-in", {"company": nasty, "email": nasty, "password": "Secret-Words-1"})
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert "Secret-Words-1" not in answer.text


def test_files_are_kept_for_a_year_under_a_name_that_changes_with_them(stage: PortalStage, tmp_path: Path) -> None:
    text = stage.client().get("/sign-in").text
    for address in re.findall(r'"(/static/[^"#]+)"', text):
        answer = stage.client().get(address)
        assert answer.status_code == 200, address
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
    changed = shutil.copytree(FOLDER, tmp_path / "static")
    (changed / "portal.js").write_text("changed")
    assert StaticFiles(changed).version != StaticFiles().version


@pytest.mark.parametrize(
    "name", ["../../settings.py", "..%2f..%2fsettings.py", "vendor/CHECKSUMS", "", "vendor", "x.js"]
)
def test_only_the_portal_s_own_files_are_served(stage: PortalStage, name: str) -> None:
    version = StaticFiles().version
    client = stage.client()
    assert client.get(f"/static/{version}/{name}").status_code == 404
    assert client.get(f"/static/0000/{name or 'portal.js'}").status_code == 404


def test_a_page_with_all_that_it_loads_is_at_most_300_kb(stage: PortalStage) -> None:
    text = stage.client("superuser").get("/accounts").text
    loaded = sum(
        len(gzip.compress((FOLDER / name).read_bytes(), 9))
        for name in {re.sub(r"^/static/\w+/", "", one) for one in re.findall(r'"(/static/[^"#]+)', text)}
    )
    assert loaded + len(gzip.compress(text.encode())) < 300_000


def test_files_of_others_are_as_they_were_fetched_and_their_licences_are_there() -> None:
    listed = {}
    for line in (VENDOR / "CHECKSUMS").read_text().splitlines():
        digest, name = line.split("  ")
        listed[name] = digest
    there = {path.relative_to(VENDOR).as_posix(): path for path in VENDOR.rglob("*") if path.is_file()}
    there.pop("CHECKSUMS")
    assert listed == {name: sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    licences = {"alpine.txt", "htmx.txt", "tabler.txt", "tabler-icons.txt", "wavesurfer.txt"}
    assert {path.name for path in (VENDOR / "licences").iterdir()} == licences


def test_every_icon_that_is_asked_for_is_there() -> None:
    asked = set()
    for path in (FOLDER.parent / "templates").rglob("*.html"):
        asked |= set(re.findall(r'icon\("([a-z0-9-]+)"', path.read_text()))
    for path in FOLDER.parent.rglob("*.py"):
        asked |= set(re.findall(r'Entry\([^)]*?"([a-z0-9-]+)", Action', path.read_text()))
    assert asked - set((VENDOR / "ICONS").read_text().split()) == set()


def test_what_goes_wrong_has_a_page_that_says_what_to_do(stage: PortalStage) -> None:
    nowhere = stage.client("own").get("/nowhere")
    assert (nowhere.status_code, "There is no such page" in nowhere.text) == (404, True)
    forbidden = stage.client("own").get("/accounts")
    assert (forbidden.status_code, "Your role does not allow this" in forbidden.text) == (403, True)
    part = stage.client("own").get("/accounts", headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert part.headers["hx-retarget"] == "#notices"


def test_without_a_database_people_are_told_to_try_again(stage: PortalStage, tmp_path: Path) -> None:
    client = stage.client("own")
    path = Path(str(stage.engine.url.database).removeprefix("file:"))
    stage.engine.dispose()
    path.rename(tmp_path / "away")
    try:
        for page in ("/sign-in", "/account"):
            answer = client.get(page)
            assert (answer.status_code, "Try again in a moment" in answer.text) == (503, True)
    finally:
        (tmp_path / "away").rename(path)
    assert client.get("/account").status_code == 200


def test_a_key_that_others_may_read_is_not_used_and_the_page_says_nothing_of_it(stage: PortalStage) -> None:
    client = stage.client("superuser")
    assert client.post("/sign-in/second-factor").status_code == 200
    key = stage.settings.paths.keys / "portal.key"
    key.chmod(0o644)
    answer = client.post("/sign-in/second-factor")
    key.chmod(0o600)
    assert answer.status_code == 500
    assert "portal.key" not in answer.text
    assert "Second factors cannot be used just now" in answer.text
    assert "the doctor" in answer.text


@pytest.mark.parametrize("role", ["team leader", "group leader", "own", "none", "foreign", "stranger"])
def test_accounts_are_shown_and_changed_by_superusers_of_the_company_only(stage: PortalStage, role: str) -> None:
    client = stage.client(role)
    stage.account("victim@one.example")
    with stage.office(stage.own) as office:
        victim = office.store.account_called(stage.own.tenant.id, "victim@one.example")
    assert victim is not None
    form = {"name": "x", "email": "x@x.example", "role": "superuser"}
    asked = [client.get(f"/accounts/{victim.id}"), client.post(f"/accounts/{victim.id}", form)]
    steps = ("invite", "reset", "lock", "unlock", "drop-factor", "sign-out", "remove")
    asked += [client.post(f"/accounts/{victim.id}/{step}") for step in steps]
    if role != "foreign":
        asked += [client.get("/accounts"), client.get("/accounts/new"), client.post("/accounts", form)]
    statuses = {answer.status_code for answer in asked}
    assert statuses <= ({303} if role == "stranger" else {404} if role == "foreign" else {403})
    with stage.office(stage.own) as office:
        assert office.store.account(stage.own.tenant.id, victim.id) == victim
