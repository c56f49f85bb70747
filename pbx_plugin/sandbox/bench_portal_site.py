"""A portal to measure: its configuration, a company with a year of recordings, calls with sound, somebody signed in."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import uuid
import wave
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from pbx_plugin.clock import now
from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.call import Direction, Marks, Mode, Number, Party, User
from pbx_plugin.domain.decide import decide
from pbx_plugin.domain.decision import Facts
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
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.explain import facts_as_dict, trace_as_list
from pbx_plugin.domain.naming import Holding, Sense, archive_file, spool_name
from pbx_plugin.domain.policy import PolicyVersion
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.portal.runner import build_site
from pbx_plugin.sandbox import bench_search_rows as rows
from pbx_plugin.services import accounts
from pbx_plugin.services.accounts import AccountWish, Office
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.signing_in import Visitor
from pbx_plugin.settings import Paths, Portal, Settings

SECONDS = 60
RATE = 8000
_EMAIL, _PASSWORD = "bench@example.com", "Measured-Every-Time-9"
_NUMBER = Number("31200118", "+4531200118")


class PortalBench:
    """The site; ``heard`` are recordings with sound, ``token`` the session's secret."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"sqlite:///{folder / 'portal.sqlite'}"
        self.config = folder / "config.toml"
        self.heard: list[str] = []
        self.token = ""
        self._archive = folder / "archive"
        self._port = port
        self._settings = Settings(
            database=self.url,
            paths=Paths(state=folder, archive=self._archive, spool=folder / "spool"),
            portal=Portal(port=port, time_zone="Europe/Copenhagen"),
        )
        paths = {name: str(getattr(self._settings.paths, name)) for name in ("state", "archive", "spool")}
        lines = [f"database = {json.dumps(self.url)}", "[paths]"]
        lines += [f"{name} = {json.dumps(path)}" for name, path in paths.items()]
        lines += ["[portal]", f"port = {port}", 'time_zone = "Europe/Copenhagen"']
        self.config.write_text("\n".join(lines) + "\n")

    def fill(self, recordings: int, heard: int) -> None:
        """Write so many recordings, and so many calls of the last hours with sound; sign somebody in."""
        rows.fill(self.url, recordings)
        site = build_site(self._settings, self._port)
        try:
            sound = _sound()
            peaks = json.dumps({"version": 2, "channels": 2, "sample_rate": RATE, "bits": 8, "data": [7, -7] * 2400})
            entries: list[Entry] = []
            for n in range(heard):
                entries += self._call(now() - timedelta(minutes=2 + n), sound, peaks)
            DatabaseApply(site.engine)("recorder:1", list(enumerate(entries, 1)))
            tenant = Tenant(rows.TENANT, "Benchmark", "DK")
            with site.accounts.writing() as store:
                office = Office(Desk(store, tenant, "bench", site.now(), site.new_id), store, site.tools)
                wish = AccountWish(_EMAIL, "Bench", "en", role=Role.SUPERUSER, may_listen=True, may_download=True)
                account = accounts.add(office, wish)
                store.set_password(account, site.tools.hasher.hash(_PASSWORD), site.now(), must_change=False)
            visitor = Visitor("127.0.0.1", site.now(), "a benchmark")
            signed = site.signing.sign_in(visitor, company=tenant.name, email=_EMAIL, password=_PASSWORD)
            self.token = signed.token
        finally:
            site.engine.dispose()

    def _call(self, began: datetime, sound: bytes, peaks: str) -> list[Entry]:
        call_id, media, recording, decision = (str(uuid.uuid4()) for _ in range(4))
        linkedid, ended = f"{began.timestamp():.6f}", began + timedelta(seconds=SECONDS)
        path = archive_file(rows.TENANT, media, began, Holding.AUDIO)
        picture = archive_file(rows.TENANT, media, began, Holding.PEAKS)
        for name, content in ((path, sound), (picture, peaks.encode())):
            (self._archive / name).parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            (self._archive / name).write_bytes(content)
        user = User("person-1", rows.TENANT, "User 1 Benchmark", "1001", Mode.ALWAYS, enrolled=True)
        facts = Facts(user, Direction.INCOMING, (Party(_NUMBER),), marks=Marks())
        decided = decide(facts, PolicyVersion(rows.TENANT, 1), ExclusionIndex.build((), began))
        spool_in, spool_out = (spool_name(media, began, sense) for sense in Sense)
        self.heard.append(recording)
        return [
            CallBegan(
                *(call_id, rows.TENANT, linkedid, began, 1, False, "incoming", _NUMBER.raw, _NUMBER.e164),
                dialled_raw="1001",
            ),
            LegSeen(call_id, linkedid, began, "PJSIP/trunk-1", "", _NUMBER.raw, _NUMBER.e164, True),
            LegSeen(call_id, f"{linkedid}1", began, "PJSIP/1001-1", user.id, "1001"),
            LegMoved(call_id, linkedid, began, "joined", "bridge"),
            Decided(
                *(decision, call_id, user.id, began, decided.verdict.value, decided.rule, decided.rule_name, 1),
                *(facts_as_dict(facts), trace_as_list(decided)),
            ),
            RecordingIntended(
                *(recording, media, call_id, rows.TENANT, user.id, decision, 1, began, linkedid),
                *(spool_in, spool_out, Side.RIGHT, Side.LEFT, "incoming", user.name, "1001"),
                other_raw=_NUMBER.raw,
                other_e164=_NUMBER.e164,
                rule=decided.rule,
                policy_version=1,
            ),
            RecordingStarted(media, began, began, began),
            RecordingClosed(media, ended, "hung up"),
            CallEnded(call_id, ended, "answered"),
            RecordingStored(
                *(media, ended, path, picture, hashlib.sha256(sound).hexdigest(), len(sound)),
                *(RATE, SECONDS * 1000, False, False),
            ),
        ]


def free_port() -> int:
    """Return a port of the loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found: int = listening.getsockname()[1]
    return found


def _sound() -> bytes:
    at = np.arange(RATE * SECONDS) / RATE
    sides = [np.sin(2 * np.pi * pitch * at) * 8000 for pitch in (440, 660)]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.stack(sides, axis=1).astype("<i2").tobytes())
    return buffer.getvalue()
