"""A company with stored recordings: rows in a real database, real files in an archive, and who works with them."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from call_entries import consent_taken
from sqlalchemy import Engine

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.deletions import DatabaseDeletions
from pbx_plugin.db.directory import change_directory, read_directory
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.links import DatabaseLinks
from pbx_plugin.domain.access import Role, Scope, Viewer
from pbx_plugin.domain.entries import (
    CallBegan,
    Entry,
    RecordingClosed,
    RecordingIntended,
    RecordingStarted,
    RecordingStored,
    Side,
)
from pbx_plugin.domain.handing import Rules
from pbx_plugin.domain.naming import Holding, Sense, archive_file, spool_name
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.handing import Recorded
from pbx_plugin.services.sharing import Link, LinkWish, share
from pbx_plugin.storage.erase_deleted import ArchiveEraser
from pbx_plugin.storage.wav import header

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COMPANY = Tenant("11111111-1111-4111-8111-111111111111", "Company One", "DK")
OTHER = Tenant("22222222-2222-4222-8222-222222222222", "Secret Two", "DK")


def sound(seconds: float = 1.0, rate: int = 8000, pitch: float = 440) -> bytes:
    """A stereo WAV file with a tone on the left and silence on the right."""
    frames = int(seconds * rate)
    tone = (int(8000 * math.sin(2 * math.pi * pitch * n / rate)) for n in range(frames))
    return header(rate, 2, frames) + b"".join(struct.pack("<hh", one, 0) for one in tone)


@dataclass
class Stage:
    """The company's archive and database, and a clock that is set by hand."""

    engine: Engine
    folder: Path
    at: datetime = NOON

    def __post_init__(self) -> None:
        self.archive, self.spool = self.folder / "archive", self.folder / "spool"
        self.archive.mkdir(exist_ok=True)
        self.spool.mkdir(exist_ok=True)
        self.deletions = DatabaseDeletions(self.engine)
        self.handing = DatabaseHanding(self.engine)
        self.links = DatabaseLinks(self.engine)
        self.eraser = ArchiveEraser(self.spool, self.archive)
        self._position = count(1)
        with change_directory(self.engine) as directory:
            for tenant in (COMPANY, OTHER):
                directory.save_tenant(tenant)

    def desk(self, actor: str = "sofie@example.com", tenant: Tenant = COMPANY) -> Desk:
        """Somebody at work; use cases here open transactions of their own."""
        with read_directory(self.engine) as directory:
            return Desk(directory, tenant, actor, self.at, lambda: str(uuid4()))

    def viewer(self, role: Role = Role.SUPERUSER, **other: Any) -> Viewer:
        """Somebody who is signed in and has every switch on."""
        values: dict[str, Any] = {
            "tenant_id": COMPANY.id,
            "account_id": str(uuid4()),
            "name": "Sofie Ø",
            "email": "sofie@example.com",
            "may_listen": True,
            "may_download": True,
            "may_mail": True,
        }
        return Viewer(role=role, **(values | other))

    def rules(self, **values: Any) -> Rules:
        """Let the company have these switches."""
        rules = replace(Rules(downloads=True), **values)
        self.handing.save_rules(self.desk(), rules)
        return rules

    def apply(self, *entries: Entry) -> None:
        """Let the recorder's journal say something."""
        DatabaseApply(self.engine)("recorder:1", [(next(self._position), entry) for entry in entries])

    def record(self, *, media: str = "", tenant: Tenant = COMPANY, content: bytes = b"", ended: bool = True,
               keep_days: int = 0, spooled: bool = False, at: datetime | None = None, **other: Any) -> str:  # fmt: skip
        """Let a call have been recorded, on media that is there already if named; return its id."""
        recording, at = str(uuid4()), at or self.at - timedelta(hours=1)
        new, media = not media, media or str(uuid4())
        call, evidence = str(UUID(media)), str(uuid4()) if keep_days else ""
        content = content or sound()
        path = archive_file(tenant.id, media, at, Holding.AUDIO)
        peaks = archive_file(tenant.id, media, at, Holding.PEAKS)
        spools = [spool_name(media, at, sense) for sense in Sense]
        values: dict[str, Any] = {
            "other_raw": "31200118",
            "other_e164": "+4531200118",
            "ddi": "+4570101010",
            "evidence_id": evidence,
            "rule": 11,
            "policy_version": 1,
            "retention_days": 7,
        }
        user = {"user_id": "user-1", "user_name": "Anna Ærø", "extension": "101"}
        user |= {name: other.pop(name) for name in list(other) if name in user}
        entries: list[Entry] = [
            CallBegan(call, tenant.id, f"{media[:8]}.1", at, 1, False, "incoming", dialled_raw="101"),
            RecordingIntended(
                recording, media, call, tenant.id, user["user_id"], f"d-{recording}"[:36], 1, at, f"{media[:8]}.1",
                spools[0], spools[1], Side.RIGHT, Side.LEFT, "incoming", user["user_name"], user["extension"],
                **(values | other),
            ),
        ]  # fmt: skip
        if keep_days:
            taken = consent_taken(evidence, linkedid=f"{media[:8]}.1")
            entries.append(replace(taken, tenant_id=tenant.id, keep_days=keep_days))
        if ended and new:
            size, digest = len(content), hashlib.sha256(content).hexdigest()
            length = (size - 44) * 1000 // 32000
            entries += [
                RecordingStarted(media, at, at, at),
                RecordingClosed(media, at + timedelta(milliseconds=length), "hung up"),
                RecordingStored(media, at, path, peaks, digest, size, 8000, length, False, True),
            ]
            (self.archive / path).parent.mkdir(parents=True, exist_ok=True)
            (self.archive / path).write_bytes(content)
            (self.archive / peaks).write_text("{}")
        if spooled:
            for name in spools:
                (self.spool / f"{name}.wav").parent.mkdir(parents=True, exist_ok=True)
                (self.spool / f"{name}.wav").write_bytes(content)
        self.apply(*entries)
        return recording

    def look(self, recording: str, tenant: Tenant = COMPANY) -> Recorded:
        """What is known of a recording."""
        found = self.handing.one(Scope(tenant.id, everything=True), recording)
        assert found is not None
        return found

    def share(self, recording: str, wish: LinkWish | None = None, **viewer: Any) -> Link:
        """Mail a link; the mail lies in the outbox."""
        rules, url = self.handing.rules(COMPANY.id), "https://calls.example.com"
        found, who = self.look(recording), self.viewer(**viewer)
        return share(self.links, self.desk(), who, rules, found, wish or LinkWish("anna@example.com"), url, UTC, "UTC")

    def files(self) -> list[str]:
        """Everything that lies in archive and spool."""
        places = (path for root in (self.archive, self.spool) for path in root.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in places)
