"""The site that is measured: a sandbox with sixty more users who are recorded always, and calls by the dozen."""

from __future__ import annotations

import contextlib
import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, select

from pbx_plugin.asterisk.install import DialplanInstaller
from pbx_plugin.asterisk.load import AmiLoader
from pbx_plugin.asterisk.render import Pjsip, render
from pbx_plugin.clock import now
from pbx_plugin.db.directory import change_directory
from pbx_plugin.db.engine import make_engine, reading
from pbx_plugin.db.models import MediaRow
from pbx_plugin.db.queries import DatabaseQueries
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.policy import Announce
from pbx_plugin.sandbox.bench_machine import cpu_seconds
from pbx_plugin.sandbox.bench_sipp import Sipp, callers, the_world, write_a_law
from pbx_plugin.sandbox.signals import bursts, voice
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_config import LOOPBACK_MEDIA, TRUNK_HOST, digest_of
from pbx_plugin.sandbox.site_people import RESIDENTS
from pbx_plugin.services import people, policies
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.people import PersonWish

USERS = tuple(str(extension) for extension in range(800, 860))
MONO_PREFIX = "*99"
"""Dialled before a number: Asterisk's own MixMonitor records the call, mono, as any dialplan may."""

SOUND_SEED = 7
_PATIENCE = 20.0


class BenchError(Exception):
    """Something that was to be measured did not happen."""


class Moment(NamedTuple):
    """A segment's state, file and when it was stored (aware UTC), as the database has them."""

    media_id: str
    state: str
    stored_at: datetime | None
    path: str


class BenchSite:
    """A running sandbox with `sipp` as callers and world. :meth:`close` ends all of it."""

    def __init__(self, folder: Path) -> None:
        """Only names things; :meth:`start` starts them."""
        self.folder = folder
        self.site = Site(folder / "site", services=False)
        self.mono = folder / "mono"
        self.mono.mkdir(mode=0o750)
        # A context named twice is one context: this adds to what the product generates.
        self.site.asterisk.configs["extensions.conf"] += (
            f"[pbxrec-users]\nexten => _{MONO_PREFIX}.,1,MixMonitor({self.mono}/${{UNIQUEID}}.wav)\n"
            f" same => n,Goto(pbxrec-users,${{EXTEN:{len(MONO_PREFIX)}}},1)\n"
        )
        self._engine: Engine | None = None
        self._numbers = itertools.count(1)
        self._world: Sipp | None = None
        self._sound = folder / "sound.alaw"
        self._ports = self.site.asterisk.ports

    def start(self) -> None:
        """Build the site, add the users, and let the world answer."""
        self.site.start()
        self._engine = make_engine(self.site.settings.database, busy_ms=5000)
        with self._desk() as desk:
            for extension in USERS:
                wish = PersonWish(name=f"User {extension}", extension=extension, devices=[f"PJSIP/{extension}"])
                people.enrol(desk, people.add(desk, wish), Mode.ALWAYS)
        self._dialplan()
        write_a_law(self._sound, bursts(SOUND_SEED, 60, voice("alfa")))
        self._world = the_world(self.folder, TRUNK_HOST, self.site.ports.trunk, self._ports.port("udp"))

    def close(self) -> None:
        """End everything; again is harmless."""
        if self._world is not None:
            self._world.close()
        self.site.stop()
        if self._engine is not None:
            self._engine.dispose()

    @property
    def engine(self) -> Engine:
        """The site's database. Raises BenchError before :meth:`start`."""
        if self._engine is None:
            raise BenchError("the site was not started")
        return self._engine

    @property
    def queries(self) -> DatabaseQueries:
        """What the database says of calls."""
        return DatabaseQueries(self.engine)

    def services(self, *, on: bool) -> None:
        """Start (and wait for) or stop recorder and consent service; what is so already stays."""
        for service in (self.site.agi, self.site.recorder):
            if on:
                service.start()
            else:
                service.stop()
        if on:
            self.site.agi.wait_ready()
            self.site.recorder.wait_ready()
            self._quiet()

    def _quiet(self) -> None:
        """Wait until the recorder's worker has started too: that belongs to no call."""
        pids = [self.site.recorder.pid]
        for _ in range(20):
            before = cpu_seconds(pids)
            time.sleep(0.5)
            if cpu_seconds(pids) - before < 0.03:
                return

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Run recorder and consent service inside."""
        self.services(on=True)
        try:
            yield
        finally:
            self.services(on=False)

    def announce(self, how: Announce) -> None:
        """Put a policy in force that tells outside parties so, and wait until the recorder has it."""
        with self._desk() as desk:
            document = policies.document_of(desk, policies.in_force(desk)) | {"announce": how.value}
            policies.apply(desk, document, comment="benchmark", acknowledged=True)
        time.sleep(2 * self.site.settings.recorder.rulebook_refresh)

    def call_out(self, calls: int, *, lasting_s: float, a_second: float, prefix: str = "") -> Sipp:
        """Let as many users call somebody outside, each of them a different number."""
        chosen = [(user, f"{prefix}{self.fresh_number()}") for user, _ in zip(itertools.cycle(USERS), range(calls))]
        server, port = f"127.0.0.1:{self.site.ports.sip}", self._ports.port("udp")
        return callers(
            self.folder / f"callers-{port}", server, port, chosen, self.site.secrets.phones, self._sound,
            lasting_s=lasting_s, a_second=a_second,
        )  # fmt: skip

    def fresh_number(self) -> str:
        """Return a Danish number that nobody had yet."""
        return f"+453120{next(self._numbers):04d}"

    def moments(self, since: datetime) -> Sequence[Moment]:
        """Return every segment that was begun since then."""
        row = MediaRow
        with reading(self.engine) as session:
            found = session.scalars(select(row).where(row.intended_at >= since)).all()
            return [Moment(one.id, str(one.state), one.stored_at, one.path) for one in found]

    def calls_up(self) -> int:
        """Return how many channels of telephones Asterisk has; each call has two."""
        rows = self.site.asterisk.rx("core show channels concise").splitlines()
        return sum(row.startswith("PJSIP/") for row in rows)

    @contextlib.contextmanager
    def _desk(self) -> Iterator[Desk]:
        with change_directory(self.engine) as directory:
            (tenant,) = directory.tenants()
            yield Desk(directory, tenant, "benchmark", now(), lambda: str(uuid.uuid4()))

    def _dialplan(self) -> None:
        settings, password = self.site.settings, self.site.secrets.phones
        everybody = [*(one.extension for one in RESIDENTS), *USERS]
        digests = {f"PJSIP/{extension}": digest_of(extension, password) for extension in everybody}
        rulebook = DatabaseRulebook(self.engine).load()
        files = render(rulebook, settings.dialplan, settings.agi, digests, Pjsip(options=LOOPBACK_MEDIA))
        paths = settings.paths
        DialplanInstaller(paths.asterisk_etc, paths.backups, AmiLoader(settings.ami)).install(files, now())


def wait_until(true: Callable[[], bool], what: str, seconds: float = _PATIENCE, every: float = 0.2) -> None:
    """Look again and again. Raises BenchError when it did not become true in time."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise BenchError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every)
