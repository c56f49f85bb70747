"""Every route of the portal, asked by everybody about everything, against the table in ``portal_rules.py``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from portal_rules import (
    RECORDINGS,
    SEES,
    TABLE,
    VIEWERS,
    Answer,
    Row,
    expected,
    sees,
    things,
)
from portal_stage import PASSWORD, PortalClient, PortalCompany, PortalStage
from sqlalchemy import func, select

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.exports import DatabaseExports
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.models import (
    AuditRow,
    MailRow,
    MediaRow,
    RecordingNoteRow,
    RecordingRow,
    SavedSearchRow,
    ShareLinkRow,
)
from pbx_plugin.db.working import change_work
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.handing import Rules
from pbx_plugin.portal import csrf
from pbx_plugin.portal.app import SCREENS, build_app
from pbx_plugin.portal.cookies import SAID, SESSION
from pbx_plugin.services import accounts, evaluating
from pbx_plugin.services.audit import Desk
from pbx_plugin.storage.mp3 import find_ffmpeg

pytestmark = pytest.mark.wide

FORM = {"categories": [{"name": "Manner", "questions": [{"key": "greet", "text": "Greeted?"}]}]}
EXTRA = {"deaf": "deaf@one.example", "locked": "locked@one.example", "must change": "must@one.example"}
PERSON = {"own": "anna", "colleague": "cilla", "other": "bo", "protected": "anna", "deleted": "anna", "foreign": "sven"}


@dataclass
class Thing:
    """A recording and what hangs on it; ``number`` is the other party's, which nobody else has."""

    id: str
    number: str = ""
    call: str = ""
    note: str = ""
    link: str = ""


@dataclass
class World:
    """The stage, and everything there is to ask for."""

    stage: PortalStage
    secrets: dict[str, str] = field(default_factory=dict)
    recordings: dict[str, Thing] = field(default_factory=dict)
    accounts: dict[str, list[str]] = field(default_factory=dict)
    link: str = ""
    shared: str = ""
    numbers: int = 0

    def company(self, viewer: str) -> PortalCompany:
        return self.stage.other if viewer == "foreign" else self.stage.own

    def desk(self, viewer: str) -> Desk:
        with self.stage.desk(self.company(viewer)) as desk:
            opened: Desk = desk
        return opened

    def email(self, viewer: str) -> str:
        return EXTRA.get(viewer) or self.stage.who(viewer)[1]

    def account(self, viewer: str) -> str:
        with self.stage.office(self.company(viewer)) as office:
            return accounts.find(office, self.email(viewer)).id

    def client(self, viewer: str, *, fresh: bool = False) -> PortalClient:
        client = self.stage.client()
        if viewer != "stranger":
            secret = self.stage.session(self.email(viewer)) if fresh and viewer != "locked" else self.secrets[viewer]
            client.http.cookies.set(SESSION, secret, domain="127.0.0.1")
        return client

    def recording(self, kind: str) -> Thing:
        """Let there be a recording of a kind, with a note, a link and a picture."""
        stage, owner = self.stage, "foreign" if kind == "foreign" else "superuser"
        self.numbers += 1
        number = f"+453999{self.numbers:04}"
        made = stage.recording(PERSON[kind], company=self.company(owner), number=number, seconds=0.2)
        client = self.client(owner)
        assert client.post(f"/recordings/{made}/notes", {"text": "first"}).status_code == 200
        assert client.post(f"/recordings/{made}/share", {"recipient": "a@example.com"}).status_code == 303
        with writing(stage.engine) as session:
            row = session.get_one(RecordingRow, made)
            media = session.get_one(MediaRow, row.media_id)
            media.peaks_path = f"{media.path}.json"
            (stage.archive / media.peaks_path).write_text("{}")
            row.deletable_by_hand = kind != "protected"
            note = session.scalars(select(RecordingNoteRow.id).where(RecordingNoteRow.recording_id == made)).one()
            link = session.scalars(select(ShareLinkRow.id).where(ShareLinkRow.recording_id == made)).one()
            thing = Thing(made, number, row.call_id, note, link)
        if kind == "deleted":
            form = {"recording": made, "understood": "yes"}
            assert client.post("/selection/delete/confirmed", form).status_code == 303
        return thing

    def export(self, viewer: str) -> str:
        kinds = SEES.get(viewer, ())
        ids = [self.recordings[kind].id for kind in sorted(kinds)] or [str(uuid4())]
        return DatabaseExports(self.stage.engine).ask(self.desk(viewer), self.account(viewer), ids).id

    def saved(self, viewer: str) -> str:
        made, account = str(uuid4()), self.account(viewer)
        with writing(self.stage.engine) as session:
            session.add(
                SavedSearchRow(
                    id=made,
                    tenant_id=self.company(viewer).tenant.id,
                    account_id=account,
                    name=made,
                    query="period=today",
                    shared=False,
                    author=viewer,
                    at=self.stage.now(),
                )
            )
        return made

    def id_of(self, row: Row, viewer: str, thing: str) -> str:
        """Return the id of what is asked for, and let it be there."""
        if thing in ("", "unknown"):
            return str(uuid4())
        if row.about == "account":
            home, abroad = ("foreign", "superuser") if viewer == "foreign" else ("superuser", "foreign")
            return self.accounts[abroad if thing == "foreign" else home][thing == "a colleague's"]
        other = "own" if viewer == "superuser" else "superuser"
        abroad = "superuser" if viewer == "foreign" else "foreign"
        owner = {"mine": viewer, "a colleague's": other, "foreign": abroad}[thing]
        if viewer == "foreign" and thing == "a colleague's":
            owner = "superuser"
        if owner == "stranger":
            return str(uuid4())
        return self.export(owner) if row.about == "export" else self.saved(owner)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("matrix")
    stage = PortalStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with stage.served():
        made = World(stage)
        stage.account(EXTRA["deaf"], role=Role.SUPERUSER, may_listen=False)
        free: dict[str, Any] = {"role": Role.SUPERUSER, "may_listen": True, "may_download": True, "may_mail": True}
        stage.account(EXTRA["locked"], **free)
        stage.account(EXTRA["must change"], must_change=True, **free)
        for viewer in VIEWERS:
            if viewer != "stranger":
                made.secrets[viewer] = stage.session(made.email(viewer))
        for owner in ("superuser", "foreign"):
            DatabaseHanding(stage.engine).save_rules(made.desk(owner), Rules(downloads=True))
            with change_work(stage.engine) as work:
                desk = Desk(work.directory, made.company(owner).tenant, "Sofie", stage.now(), lambda: str(uuid4()))
                evaluating.set_form(work, desk, None, FORM)
            domain = "two" if owner == "foreign" else "one"
            made.accounts[owner] = [stage.account(f"{name}@{domain}.example").id for name in ("x", "y")]
        for kind in RECORDINGS:
            made.recordings[kind] = Thing(str(uuid4())) if kind == "unknown" else made.recording(kind)
        made.shared = made.recording("colleague").id
        with reading(stage.engine) as session:
            query = select(MailRow.secret).order_by(MailRow.seq.desc()).limit(1)
            made.link = session.scalars(query).one() or ""
        with stage.office(stage.own) as office:
            accounts.lock(office, accounts.find(office, EXTRA["locked"]))
        yield made


def asked(path: str, world: World, thing: Thing, form: str = "wav") -> str:
    """Return the path with everything filled in."""
    with_id = re.sub(r"\{(recording(:uuid)?|account_id|export|saved_id)\}", thing.id, path)
    named = {"call": thing.call, "note": thing.note, "link": thing.link, "token": world.link, "form": form}
    if path == "/password/{link}":
        named["link"] = world.stage.site.tools.token()
        with world.stage.office(world.stage.own) as office:
            named["link"] = accounts.reset(office, accounts.find(office, "x@one.example"), mailed=False)
    for name, value in named.items():
        with_id = with_id.replace(f"{{{name}}}", value or str(uuid4()))
    extra = "?after=x" if path == "/recordings/more" else ""
    return with_id.replace("{step}", "sign-out").replace("{path:path}", "nothing.css") + extra


def ask(client: PortalClient, method: str, path: str, row: Row, thing: Thing) -> httpx2.Response:
    """Ask as a browser would."""
    if method == "POST":
        return client.post(path, {name: value.replace("%", thing.id) for name, value in row.form.items()})
    return client.http.request(method, path)


def said(answer: httpx2.Response) -> Answer:
    """Return the answer as the table has it."""
    return urlsplit(answer.headers["Location"]).path if answer.status_code == 303 else answer.status_code


def same(answer: Answer, wanted: Answer) -> bool:
    return answer == wanted or (wanted == 303 and isinstance(answer, str) and not answer.startswith("/sign-in"))


def plain(answer: httpx2.Response, thing: Thing) -> str:
    """Return what an answer says, without what is different every time, and without what was asked for."""
    text = unescape(answer.text)
    for name in (thing.id, thing.call, thing.note, thing.link):
        text = text.replace(name, "…") if name else text
    text = re.sub(r'(nonce|content|value)="[A-Za-z0-9_-]{20,}"', "", text)
    return re.sub(r'"X-CSRF-Token": *"[^"]*"', "", text)


def audit(world: World) -> int:
    with reading(world.stage.engine) as session:
        return session.scalar(select(func.count()).select_from(AuditRow)) or 0


def test_every_route_has_its_line_in_the_table(tmp_path: Path, migrated_file: Path) -> None:
    stage = PortalStage(tmp_path, Path(shutil.copy(migrated_file, tmp_path / "pbx.sqlite")))
    build_app(stage.site)
    stage.engine.dispose()
    routes = {
        (method, route.path)  # type: ignore[attr-defined]
        for router in SCREENS
        for route in router.routes
        for method in route.methods  # type: ignore[attr-defined]
    }
    assert routes | {("GET", "/static/{path:path}")} == set(TABLE)


@pytest.mark.parametrize("viewer", VIEWERS)
def test_everybody_gets_what_the_table_says_of_every_route_and_thing(world: World, viewer: str) -> None:
    client = world.client(viewer)
    wrong: list[str] = []
    hidden = {thing.number for kind, thing in world.recordings.items() if kind not in SEES.get(viewer, ())} - {""}
    for (method, path), row in TABLE.items():
        unseen: dict[str, str] = {}
        mine = SEES.get(viewer, ()) if row.about == "selection" else ()
        for kind in things(row):
            wanted = expected(row, viewer, kind)
            if kind in RECORDINGS:
                # Whoever uses it up gets one of their own.
                spent = row.destroys and sees(row, viewer, kind) and viewer in row.who
                thing = world.recording(kind) if spent else world.recordings[kind]
            else:
                thing = Thing(world.id_of(row, viewer, kind))
            for form in ("wav", "mp3") if "{form}" in path and find_ffmpeg() else ("wav",):
                where = f"{method} {path} {form if '{form}' in path else ''} of {kind or 'nothing'}"
                place = asked(path, world, thing, form)
                before = audit(world)
                # What the form before had to say would be on the next page.
                client.http.cookies.pop(SAID, None)
                with_whom = world.client(viewer, fresh=True) if row.leaves else client
                if path == "/sign-in" and method == "POST":
                    answer = _sign_in(world, viewer, with_whom)
                else:
                    answer = ask(with_whom, method, place, row, thing)
                if not same(said(answer), wanted):
                    wrong.append(f"{where}: {said(answer)}, not {wanted}")
                if answer.status_code in (401, 403, 404) and audit(world) != before:
                    wrong.append(f"{where}: {answer.status_code}, and something was done")
                body = answer.text if "text/html" in answer.headers.get("Content-Type", "") else ""
                leaked = [number for number in hidden if number in body and not path.startswith("/s/")]
                if leaked:
                    wrong.append(f"{where}: tells of {leaked}")
                if row.public is None and viewer in SEES and not sees(row, viewer, kind) and kind not in mine:
                    unseen[f"{kind} {form}"] = plain(answer, thing)
        told = set(unseen.values())
        if len(told) > 1:
            wrong.append(f"{method} {path}: {sorted(unseen)} are not answered alike: {[len(text) for text in told]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("viewer", VIEWERS)
def test_no_form_is_taken_without_its_token_or_from_elsewhere(world: World, viewer: str) -> None:
    client = world.client(viewer)
    strangers = csrf.token(world.stage.session("foreign" if viewer != "foreign" else "own"))
    before, wrong = audit(world), []
    home = {"Origin": world.stage.url, "Sec-Fetch-Site": "same-origin"}
    for (method, path), row in TABLE.items():
        if method != "POST":
            continue
        kind = "foreign" if viewer == "foreign" else "own"
        thing = world.recordings[kind] if things(row) == RECORDINGS else Thing(world.accounts["superuser"][0])
        form = {name: value.replace("%", thing.id) for name, value in row.form.items()}
        named = re.sub(r"\{link\}", thing.link or "x" * 43, path)
        place = asked(named, world, thing)
        for what, data, headers in (
            ("no token", form, home),
            ("another's token", {**form, csrf.FIELD: strangers}, home),
            ("another's page", form, {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}),
        ):
            answer = client.http.post(place, data=data, headers=headers)
            if answer.status_code != 403:
                wrong.append(f"{path} with {what}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
    assert audit(world) == before


def test_a_zip_file_of_what_is_not_ones_own_says_the_same_of_everything(world: World) -> None:
    client, told = world.client("own"), world.client("group leader")
    assert client.post("/selection/zip", {"recording": world.recordings["own"].id}).status_code == 403
    files = []
    for kind in ("own", "foreign", "deleted", "unknown"):
        recording = world.recordings[kind].id
        place = told.post("/selection/zip", {"recording": recording}).headers["Location"]
        content = told.get(f"{place}/file").content
        assert b".wav" not in content
        files.append(len(content))
    assert max(files) - min(files) <= 8, "the manifests tell what is there"


def test_who_loses_a_switch_or_a_department_loses_it_with_the_next_click(world: World) -> None:
    """The session stays; what it opens is of this moment."""
    stage, recording = world.stage, world.recordings["colleague"].id
    sales = stage.own.departments["Sales"]
    account = stage.account("moves@one.example", role=Role.RESTRICTED, departments=[sales], may_listen=True)
    client = stage.client("moves@one.example")
    assert client.get(f"/recordings/{recording}/audio").status_code == 200
    with stage.office(stage.own) as office:
        wish = accounts.AccountWish(account.email, "Moves", role=Role.RESTRICTED, departments=[sales], may_listen=False)
        account = accounts.change(office, account, wish)
    assert client.get(f"/recordings/{recording}/audio").status_code == 403
    with stage.office(stage.own) as office:
        wish = accounts.AccountWish(account.email, "Moves", role=Role.RESTRICTED, departments=[], may_listen=True)
        accounts.change(office, account, wish)
    assert client.get(f"/recordings/{recording}/audio").status_code == 404
    assert client.get(f"/recordings/{recording}").status_code == 404


def _sign_in(world: World, viewer: str, client: PortalClient) -> httpx2.Response:
    who = "own" if viewer in ("stranger", "locked") else viewer
    form = {"company": world.company(who).tenant.name, "email": world.email(who), "password": PASSWORD}
    return client.post("/sign-in", form)
