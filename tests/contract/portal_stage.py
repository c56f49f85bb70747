"""A served portal with two companies: people in departments and a recording group, and an account of every role.

Who is who in Company One (``stage.own``; its people are ``anna``, ``bo`` and ``cilla``, of whom Anna and Cilla are in
Sales, Bo is in Support and in the recording group Hotline):

=================  ======================================================================================
role               the account
=================  ======================================================================================
``superuser``      Sofie: everything, all three switches
``team leader``    Tove: restricted, to the department Sales
``group leader``   Gert: restricted, to the recording group Hotline
``own``            Anna: her own recordings; may listen, nothing else
``none``           Nina: no role
``foreign``        Sven: superuser of Company Two (``stage.other``)
``stranger``       nobody: no session at all
=================  ======================================================================================

A test without a browser: ``stage.client("own").get("/recordings")``; ``post`` adds what a browser and the page's form
would. ``stage.recording("anna")`` lets a recorded call have been; ``stage.later(hours=25)`` moves the portal's clock.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import socket
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import httpx2
import numpy as np
from api_site import FACTS, TRACE

from pbx_plugin.clock import now
from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.directory import change_directory
from pbx_plugin.domain.access import Role, Viewer
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.entries import (
    CallBegan,
    CallEnded,
    Decided,
    Entry,
    LegMoved,
    LegSeen,
    RecordingClosed,
    RecordingIntended,
    RecordingStarted,
    RecordingStored,
    Side,
)
from pbx_plugin.domain.naming import Holding, Sense, archive_file, spool_name
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.portal import csrf
from pbx_plugin.portal.cookies import SESSION, VISIT
from pbx_plugin.portal.runner import build_server, build_site
from pbx_plugin.services import accounts, people, recording_groups
from pbx_plugin.services.account_records import Account
from pbx_plugin.services.accounts import AccountWish, Office
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import Person
from pbx_plugin.services.passwords import Argon2Hasher
from pbx_plugin.services.signing_in import Visitor
from pbx_plugin.settings import Paths, Portal, Settings

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
PASSWORD = "Correct-Horse-9"
NAMES = {
    "superuser": "Sofie",
    "team leader": "Tove",
    "group leader": "Gert",
    "own": "Anna",
    "none": "Nina",
    "foreign": "Sven",
}
ROLES = tuple(NAMES)
"""Every role that has an account here; ``stranger`` has none."""


@dataclass
class PortalCompany:
    """One company: ids of its departments and recording groups by name, its people by their first names."""

    tenant: Tenant
    people: dict[str, Person] = field(default_factory=dict)
    departments: dict[str, str] = field(default_factory=dict)
    recording_groups: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    """What is this company's alone and must not be said to another."""


class PortalStage:
    """A site and its portal. ``settings`` are of the section ``[portal]``."""

    def __init__(self, folder: Path, database: Path, **settings: Any) -> None:
        self.archive = folder / "archive"
        self.archive.mkdir()
        self.settings = Settings(
            database=f"sqlite:///{database}",
            paths=Paths(state=folder, archive=self.archive, spool=folder / "spool"),
            portal=Portal(**{"port": 0, "time_zone": "Europe/Copenhagen", **settings}),
        )
        self.ahead = timedelta(0)
        self._position = 0
        self._clients: list[PortalClient] = []
        site = build_site(self.settings, 0, self.now)
        # Real hashes of little cost: tests sign in a hundred times.
        hasher = Argon2Hasher(secrets.token_bytes, memory_kib=64, passes=1)
        self.site = replace(site, tools=replace(site.tools, hasher=hasher))
        self.engine = self.site.engine
        self.own = self._company(Tenant(TENANT, "Company One", "DK"), 1, ("Anna", "Bo", "Cilla"))
        self.other = self._company(Tenant(OTHER, "Secret Two", "DK"), 2, ("Sven", "Ture", "Ulla"))
        for role in ROLES:
            self._account(role)
        self.url = ""

    def now(self) -> datetime:
        """Return what the portal takes for the present."""
        return now() + self.ahead

    def later(self, **time: float) -> None:
        """Let time pass for the portal: ``later(hours=25)``."""
        self.ahead += timedelta(**time)

    def desk(self, company: PortalCompany) -> Any:
        """Open a company's directory for a change."""

        @contextmanager
        def opened() -> Iterator[Desk]:
            with change_directory(self.engine) as directory:
                yield Desk(directory, company.tenant, "Sofie", self.now(), lambda: str(uuid4()))

        return opened()

    def apply(self, *entries: Entry) -> None:
        """Let the recorder's journal say something."""
        batch = []
        for entry in entries:
            self._position += 1
            batch.append((self._position, entry))
        DatabaseApply(self.engine)("recorder:1", batch)

    def recording(
        self,
        person: str = "anna",
        *,
        company: PortalCompany | None = None,
        at: datetime | None = None,
        seconds: float = 2.0,
        number: str = "+4531200118",
        direction: str = "incoming",
        stored: bool = True,
    ) -> str:
        """Let a recorded call of a user have been, with sound in the archive; return the recording's id."""
        company = company or self.own
        user, began = company.people[person], at or self.now() - timedelta(minutes=5)
        linkedid = f"{uuid4().int % 10**10:010}.1"
        call_id, media, recording, decision = (
            str(uuid5(NAMESPACE_OID, f"{what} {company.tenant.id} {linkedid}"))
            for what in ("call", "media", "rec", "decision")
        )
        path = archive_file(company.tenant.id, media, began, Holding.AUDIO)
        spool_in, spool_out = (spool_name(media, began, sense) for sense in Sense)
        ended = began + timedelta(seconds=seconds)
        size, digest = _write_tones(self.archive / path, seconds)
        mine = {"id": user.id, "tenant_id": company.tenant.id, "name": user.name, "extension": user.extension}
        facts = {**FACTS, "direction": direction, "user": {**FACTS["user"], **mine}}
        raw = number.removeprefix("+45")
        leg = f"PJSIP/{user.extension}-1"
        entries: list[Entry] = [
            CallBegan(
                *(call_id, company.tenant.id, linkedid, began, 1, False, direction, raw, number),
                dialled_raw=user.extension,
            ),
            LegSeen(call_id, linkedid, began, "PJSIP/trunk-1", "", raw, number, True),
            LegSeen(call_id, f"{linkedid}1", began, leg, user.id, user.extension),
            LegMoved(call_id, linkedid, began, "joined", "bridge"),
            Decided(decision, call_id, user.id, began, "record", 11, "user in mode always", 1, facts, TRACE),
            RecordingIntended(
                *(recording, media, call_id, company.tenant.id, user.id, decision, 1, began, linkedid),
                *(spool_in, spool_out, Side.RIGHT, Side.LEFT, direction, user.name, user.extension),
                other_raw=raw,
                other_e164=number,
                rule=11,
                policy_version=1,
            ),
            RecordingStarted(media, began, began, began),
        ]
        if stored:
            entries += [
                RecordingClosed(media, ended, "hung up"),
                CallEnded(call_id, ended, "answered"),
                RecordingStored(media, ended, path, "", digest, size, 8000, int(seconds * 1000), False, False),
            ]
        self.apply(*entries)
        company.words += [call_id, recording, decision]
        return recording

    def session(self, role: str) -> str:
        """Sign that role's account in, and return the secret to show as a cookie; empty for a stranger."""
        if role == "stranger":
            return ""
        company, email = self.who(role)
        visitor = Visitor("127.0.0.1", self.now(), "a test")
        return self.site.signing.sign_in(visitor, company=company.tenant.name, email=email, password=PASSWORD).token

    def who(self, role: str) -> tuple[PortalCompany, str]:
        """Return the company and the e-mail address of a role's account (or of an address), all with ``PASSWORD``."""
        if "@" in role:
            return (self.other if role.endswith("@two.example") else self.own), role
        company = self.other if role == "foreign" else self.own
        return company, f"{NAMES[role].lower()}@{'two' if role == 'foreign' else 'one'}.example"

    def account(self, email: str, *, must_change: bool = False, password: str = PASSWORD, **wish: Any) -> Account:
        """Add an account of its own for a test that changes it, unless there is one: ``…@one.example``.

        Its role is *none* unless ``wish`` says otherwise; without a ``password`` it cannot sign in yet.
        """
        company, _ = self.who(email)
        with self.office(company) as office:
            found: Account | None = office.store.account_called(company.tenant.id, email)
            if found is not None:
                return found
            account = accounts.add(office, AccountWish(email, email.partition("@")[0].title(), **wish))
            if password:
                hashed = office.tools.hasher.hash(password)
                office.store.set_password(account, hashed, self.now(), must_change=must_change)
            return account

    def viewer(self, role: str) -> Viewer:
        """Return that role's account as access judges it."""
        company, email = self.who(role)
        with self.office(company) as office:
            return accounts.viewer_of(office.store, accounts.find(office, email))

    def office(self, company: PortalCompany) -> Any:
        """Open a company's accounts for a change."""

        @contextmanager
        def opened() -> Iterator[Office]:
            with self.site.accounts.writing() as store:
                desk = Desk(store, company.tenant, "Sofie", self.now(), lambda: str(uuid4()))
                yield Office(desk, store, self.site.tools)

        return opened()

    @contextmanager
    def served(self) -> Iterator[str]:
        """Answer on a free port meanwhile; yields the address."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            # From now on links lead to where it answers.
            self.url = f"http://127.0.0.1:{port}"
            address = self.settings.portal.public_url or self.url
            self.site = replace(self.site, port=port, tools=replace(self.site.tools, public_url=address))
            server = build_server(self.site)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            self.url = f"http://127.0.0.1:{port}"
            try:
                yield self.url
            finally:
                for client in self._clients:
                    client.http.close()
                server.should_exit = True
                thread.join()
        self.engine.dispose()

    def client(self, role: str = "stranger") -> PortalClient:
        """Return a program that asks as a browser of somebody with that role would."""
        made = PortalClient(self.url, self.session(role))
        self._clients.append(made)
        return made

    def _account(self, role: str) -> None:
        company, email = self.who(role)
        own = self.own
        free = AccountWish(email, NAMES[role], "en", may_listen=True, may_download=True, may_mail=True)
        wishes = {
            "superuser": replace(free, role=Role.SUPERUSER),
            "team leader": replace(free, role=Role.RESTRICTED, departments=[own.departments["Sales"]]),
            "group leader": replace(free, role=Role.RESTRICTED, recording_groups=[own.recording_groups["Hotline"]]),
            "own": replace(free, role=Role.OWN, user=own.people["anna"].id, may_download=False, may_mail=False),
            "none": replace(free, role=Role.NONE),
            "foreign": replace(free, role=Role.SUPERUSER),
        }
        with self.office(company) as office:
            account = accounts.add(office, wishes[role])
            office.store.set_password(account, office.tools.hasher.hash(PASSWORD), self.now(), must_change=False)

    def _company(self, tenant: Tenant, digit: int, names: tuple[str, str, str]) -> PortalCompany:
        company = PortalCompany(tenant, words=[tenant.id, tenant.name])
        with change_directory(self.engine) as directory:
            directory.save_tenant(tenant)
        with self.desk(company) as desk:
            for name in ("Sales", "Support"):
                company.departments[name] = people.add_department(desk, f"{name} {digit}").id
            for place, name in enumerate(names, 1):
                wish = people.PersonWish(
                    name=f"{name} {digit}",
                    extension=f"{digit}0{place}",
                    mode=Mode.ALWAYS,
                    department=f"{'Support' if place == 2 else 'Sales'} {digit}",
                    devices=[f"PJSIP/{digit}0{place}"],
                )
                company.people[name.lower()] = people.enrol(desk, people.add(desk, wish))
            group = recording_groups.add(desk, f"Hotline {digit}", [f"{digit}02"])
            company.recording_groups["Hotline"] = group.id
        company.words += [*company.departments.values(), *company.recording_groups.values()]
        company.words += [word for person in company.people.values() for word in (person.id, person.name)]
        return company


class PortalClient:
    """A program with a browser's manners. ``secret`` is the cookie of a session, empty for a stranger."""

    def __init__(self, url: str, secret: str = "") -> None:
        self.url = url
        self.http = httpx2.Client(
            base_url=url, timeout=20, trust_env=False, verify=False, headers={"Accept": "text/html"}
        )
        if secret:
            self.http.cookies.set(SESSION, secret, domain="127.0.0.1")

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """Open a page; redirects are not followed."""
        return self.http.get(path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> httpx2.Response:
        """Send a form with the token of the page that it stands on."""
        if not self.http.cookies.get(SESSION) and not self.http.cookies.get(VISIT):
            self.http.get("/sign-in")
        token = csrf.token(self.http.cookies.get(SESSION) or self.http.cookies.get(VISIT) or "")
        headers = {"Origin": self.url, "Sec-Fetch-Site": "same-origin", **options.pop("headers", {})}
        return self.http.post(path, data={csrf.FIELD: token, **(data or {})}, headers=headers, **options)


def _write_tones(path: Path, seconds: float) -> tuple[int, str]:
    """Write a stereo file with a tone on each side, and return its size and digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    at = np.arange(int(8000 * seconds)) / 8000
    sides = [np.sin(2 * np.pi * pitch * at) * 8000 for pitch in (440, 660)]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.stack(sides, axis=1).astype("<i2").tobytes())
    path.write_bytes(buffer.getvalue())
    return len(buffer.getvalue()), hashlib.sha256(buffer.getvalue()).hexdigest()
