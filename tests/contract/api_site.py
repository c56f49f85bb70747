"""Two companies behind a real server: one whose token is used, and one that must never be seen."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import httpx2
from call_entries import NOON, TENANT, consent_taken

from pbx_plugin.api.runner import build_server
from pbx_plugin.api.site import ApiSite
from pbx_plugin.clock import now
from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.directory import change_directory
from pbx_plugin.db.engine import make_engine
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.entries import (
    CallBegan,
    CallEnded,
    Decided,
    Entry,
    Gap,
    LegMoved,
    LegSeen,
    RecordingClosed,
    RecordingIntended,
    RecordingStarted,
    RecordingStored,
    Side,
)
from pbx_plugin.domain.policy import GroupKind
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services import (
    exclusions_service,
    groups,
    import_runs,
    numbers_service,
    people,
    policies,
    policy_drafts,
    recording_groups,
)
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.imports import Options
from pbx_plugin.services.tokens import PREFIX, Scope
from pbx_plugin.services.webhooks import Event
from pbx_plugin.settings import Api, Paths, Settings, Webhooks

OTHER = "tenant-2"
SOUND = bytes(range(256)) * 400
PICTURE = {
    "version": 2, "channels": 2, "sample_rate": 8000, "samples_per_pixel": 400, "bits": 8, "length": 1,
    "data": [-1, 1, -2, 2],
}  # fmt: skip
FACTS: dict[str, Any] = {
    "user": {"id": "", "tenant_id": "", "name": "Anna", "extension": "101", "mode": "always", "enrolled": True},
    "direction": "incoming",
    "others": [{"number": {"raw": "31200118", "e164": "+4531200118"}, "user": None}],
    "ddi": {"raw": "", "e164": ""},
    "dialled": {"raw": "101", "e164": ""},
    "marks": {"consent": "not required", "consent_by": "nobody", "evidence_id": "", "presented_to": []},
    "switch": "untouched",
    "off_at_start": False,
    "announced": True,
    "excluded": "",
}
TRACE = [
    {
        "rule": 11,
        "name": "user in mode always",
        "matched": True,
        "why": "the user is in mode always",
        "may": [],
        "consent": "not required",
        "consent_by": "nobody",
        "proven": False,
        "announce": "",
        "deletable_by_hand": True,
    }
]


@dataclass
class Company:
    """What one company has, by the name of the path parameter that stands for such a thing."""

    tenant: Tenant
    things: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    """What is this company's alone and must not be said to another."""


class ApiStage:
    """A served site; ``asked`` is what reached the recorder, ``answer`` is what it does about it."""

    def __init__(self, folder: Path, database: Path | str, **limits: Any) -> None:
        self.folder = folder
        self.archive = folder / "archive"
        self.archive.mkdir()
        limits = {"token_rate": 1e6, "token_burst": 10**6, "address_rate": 1e6, "address_burst": 10**6} | limits
        self.settings = Settings(
            database=database if isinstance(database, str) else f"sqlite:///{database}",
            paths=Paths(state=folder, archive=self.archive, spool=folder / "spool"),
            api=Api(port=0, **limits),
            webhooks=Webhooks(own_networks=(ip_network("127.0.0.0/8"),), patience=1.0),
        )
        self.engine = make_engine(self.settings.database, busy_ms=2000)
        self.asked: list[dict[str, str]] = []
        self.answer: Callable[[Mapping[str, str]], None] = lambda _: None
        self.site = ApiSite(self.settings, self.engine, now, lambda: str(uuid4()), monotonic, self._ask)
        self._position = 0
        self.own = self._company(Tenant(TENANT, "Company One", "DK"), "1")
        self.other = self._company(Tenant(OTHER, "Secret Two", "DK"), "2")
        self.url = ""

    def _ask(self, said: Mapping[str, str]) -> None:
        self.asked.append(dict(said))
        self.answer(said)

    def desk(self, tenant: Tenant) -> Any:
        @contextmanager
        def opened() -> Iterator[Desk]:
            with change_directory(self.engine) as directory:
                yield Desk(directory, tenant, "Sofie", now(), lambda: str(uuid4()))

        return opened()

    def token(self, *scopes: Scope, tenant: Tenant | None = None, expires_at: datetime | None = None) -> str:
        """Make a token; all scopes unless some are named."""
        secret = PREFIX + uuid4().hex
        with self.desk(tenant or self.own.tenant) as desk:
            pass
        name = f"program {uuid4().hex[:8]}"
        self.site.tokens.create(desk, secret, name, scopes or tuple(Scope), expires_at)
        return secret

    def apply(self, *entries: Entry) -> None:
        """Let the recorder's journal say something."""
        batch = []
        for entry in entries:
            self._position += 1
            batch.append((self._position, entry))
        DatabaseApply(self.engine)("recorder:1", batch)

    def call(self, company: Company, number: str, at: datetime, *, ended: bool = True) -> str:
        """Let a recorded call have been; return its id. Its linkedid is ``number``."""
        call_id, media, recording = (
            str(uuid5(NAMESPACE_OID, f"{what} {company.tenant.id} {number}")) for what in ("call", "media", "rec")
        )
        user, path = company.things["person"], f"{company.tenant.id}/{media}.wav"
        (self.archive / path).parent.mkdir(exist_ok=True)
        (self.archive / path).write_bytes(SOUND)
        peaks = f"{company.tenant.id}/{media}.json"
        (self.archive / peaks).write_text(json.dumps(PICTURE))
        began = CallBegan(
            call_id, company.tenant.id, number, at, 1, False, "incoming", "31200118", "+4531200118", dialled_raw="101"
        )
        facts = {**FACTS, "user": {**FACTS["user"], "id": user, "tenant_id": company.tenant.id}}
        entries: list[Entry] = [
            began,
            LegSeen(call_id, number, at, "PJSIP/trunk-1", "", "31200118", "+4531200118", True),
            LegSeen(call_id, f"{number}1", at, "PJSIP/101-1", user, "101"),
            LegMoved(call_id, number, at, "joined", "bridge"),
            Decided(f"d-{call_id}"[:36], call_id, user, at, "record", 11, "user in mode always", 1, facts, TRACE),
            RecordingIntended(
                *(recording, media, call_id, company.tenant.id, user, f"d-{call_id}"[:36], 1, at, number),
                *(f"{media}-in", f"{media}-out", Side.RIGHT, Side.LEFT, "incoming", "Anna", "101"),
                other_raw="31200118",
                other_e164="+4531200118",
                rule=11,
                policy_version=1,
            ),
            RecordingStarted(media, at, at, at),
            Gap(f"g-{call_id}"[:36], call_id, company.tenant.id, user, at, at + timedelta(seconds=1), "no room"),
        ]
        if ended:
            entries += [
                RecordingClosed(media, at, "hung up"),
                CallEnded(call_id, at + timedelta(seconds=60), "answered"),
                RecordingStored(media, at, path, peaks, "ab" * 32, len(SOUND), 8000, 55_000, False, False),
            ]
        self.apply(*entries)
        company.words += [call_id, recording, f"d-{call_id}"[:36]]
        return call_id

    def recording(self, company: Company, number: str) -> str:
        """Return the id of the recording of that call."""
        return str(uuid5(NAMESPACE_OID, f"rec {company.tenant.id} {number}"))

    def _company(self, tenant: Tenant, digit: str) -> Company:
        company = Company(tenant, words=[tenant.id, tenant.name])
        with change_directory(self.engine) as directory:
            directory.save_tenant(tenant)
        with self.desk(tenant) as desk:
            # The other company's extensions are its own: what is called the same would be found at home.
            base = 100 * int(digit)
            sales = people.add_department(desk, f"Sales {digit}")
            wish = people.PersonWish(
                name=f"Anna {digit}", extension=f"{base + 1}", mode=Mode.ALWAYS, department=sales.name,
                devices=[f"PJSIP/{base + 1}"], ddi=f"+457010{base + 1}0",
            )  # fmt: skip
            anna = people.enrol(desk, people.add(desk, wish))
            idle = people.add_department(desk, f"Idle {digit}")
            yes = groups.add(desk, f"yes{digit}", f"{base + 50}", GroupKind.QUEUE, [anna.extension])
            no = groups.add(desk, f"no{digit}", f"{base + 51}", GroupKind.RING_GROUP, [])
            wished = numbers_service.ConsentWish(f"{base + 60}", yes.name, no.name)
            consent = numbers_service.add_consent(desk, wished)
            ddi = numbers_service.add_ddi(desk, f"+457020{base}0", consent=consent.number)
            excluded = exclusions_service.add(desk, number=f"+453120{base}9", reason=f"why {digit}")
            policies.apply(desk, {"departments": {"incoming": "all"}}, comment=f"first of {digit}")
            draft = policy_drafts.create(desk, f"draft of {digit}")
            circle = recording_groups.add(desk, f"circle {digit}", [anna.extension])
            table = f"name,extension\nImported {digit},{base + 70}\n".encode()
            import_runs.run(desk, import_runs.USERS, table, f"file {digit}.csv", Options())
            (run,) = desk.directory.import_runs(tenant.id)
            if digit == "2":  # a version that the other company does not have
                policies.switch(desk, off=True)
        company.things = {
            "person": anna.id,
            "department": idle.id,
            "group": no.id,
            "number": ddi.e164,
            "consent_number": consent.id,
            "exclusion": excluded.id,
            "version": "2",
            "draft": draft.name,
            "unit": idle.id,
            "recording_group": circle.id,
            "import_run": run.id,
        }
        self.call(company, f"170000000{digit}.1", NOON)
        evidence = str(uuid5(NAMESPACE_OID, f"evidence {tenant.id}"))
        self.apply(replace(consent_taken(evidence, linkedid=f"170000000{digit}.1"), tenant_id=tenant.id))
        hook = self.site.webhooks.add(desk, f"https://hooks{digit}.example.com/x", tuple(Event), "s" * 20)
        last = f"170000000{digit}.5"
        company.things["call"] = self.call(company, last, NOON + timedelta(minutes=1))
        company.things["recording"] = self.recording(company, last)
        delivery = self.site.webhooks.deliveries(tenant.id)[0]
        note = self.site.remarks.add_note(desk, company.things["recording"], f"note {digit}", 1000)
        company.things |= {"receipt": evidence, "note": note.id, "webhook": hook.id, "delivery": delivery.id}
        company.words += [f"Imported {digit}", f"circle {digit}", f"file {digit}.csv"]
        company.words += [*company.things.values(), f"Anna {digit}", f"Sales {digit}", f"note {digit}", f"why {digit}"]
        company.words = [word for word in company.words if len(word) > 2]
        return company

    @contextmanager
    def served(self) -> Iterator[str]:
        """Answer on a free port meanwhile; yields the address."""
        server = build_server(self.site)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            try:
                yield self.url
            finally:
                server.should_exit = True
                thread.join()
        self.engine.dispose()

    def client(self, secret: str | None) -> httpx2.Client:
        """Return a program that shows a token."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        # The address is plain http: reading all the world's certificates would take longer than most tests.
        return httpx2.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False, verify=False)
