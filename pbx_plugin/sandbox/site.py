"""A whole site in one folder: private Asterisk, company, prompts, dialplan, recorder and consent service."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import update

from pbx_plugin.asterisk.install import DialplanInstaller
from pbx_plugin.asterisk.load import AmiLoader
from pbx_plugin.asterisk.render import Pjsip, render
from pbx_plugin.clock import now
from pbx_plugin.db.directory import change_directory, read_directory
from pbx_plugin.db.engine import make_engine, writing
from pbx_plugin.db.migrate import upgrade
from pbx_plugin.db.models import DeviceRow
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.rulebook import Rulebook, Tenant
from pbx_plugin.prompts.build import build_prompts
from pbx_plugin.prompts.texts import load_texts
from pbx_plugin.resources import resource_dir
from pbx_plugin.sandbox.instance import AsteriskInstance
from pbx_plugin.sandbox.instance_ports import PortBlock
from pbx_plugin.sandbox.provision import CURRENT, Release, cache_dir, ensure_asterisk
from pbx_plugin.sandbox.service import Service
from pbx_plugin.sandbox.site_config import (
    LOOPBACK_MEDIA,
    Ports,
    Secrets,
    asterisk_files,
    digest_of,
    settings_toml,
)
from pbx_plugin.sandbox.site_extras import music
from pbx_plugin.sandbox.site_people import COMPANY, COUNTRY, RESIDENTS, populate
from pbx_plugin.services.audit import Desk
from pbx_plugin.settings import Settings, load_settings

Say = Callable[[str], None]


class Site:
    """One sandbox. :meth:`start` builds what is missing and starts everything; :meth:`stop` ends all of it.

    With ``detached`` it outlives this process (``sandbox up``); else it ends with it, however that ends.
    """

    def __init__(
        self, folder: Path, *, detached: bool = False, services: bool = True, release: Release = CURRENT
    ) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        block = PortBlock.take()
        self.ports = Ports(
            sip=block.port("udp"),
            trunk=block.port("udp"),
            http=block.port("tcp"),
            ami=block.port("tcp"),
            agi=block.port("tcp"),
            api=block.port("tcp"),
            portal=block.port("tcp"),
        )
        self.secrets = Secrets(*(secrets.token_urlsafe(18) for _ in range(3)))
        self.asterisk = AsteriskInstance(
            self.folder / "pbx",
            asterisk_files(self.ports, self.secrets),
            ports=block,
            http_port=self.ports.http,
            binary=ensure_asterisk(release=release),
            moh=music(),
            detached=detached,
        )
        self.config_path = self.folder / "config.toml"
        self.recorder = Service("recorder", self.folder, self.config_path, detached=detached)
        self.agi = Service("agi", self.folder, self.config_path, detached=detached)
        self.bridge = Service("bridge", self.folder, self.config_path, detached=detached)
        self.api = Service("api", self.folder, self.config_path, detached=detached)
        self.portal = Service("portal", self.folder, self.config_path, detached=detached)
        self._services = services

    @property
    def settings(self) -> Settings:
        """The product's settings of this site."""
        return load_settings(self.config_path)

    @property
    def spool(self) -> Path:
        """Where Asterisk writes recordings."""
        return self.asterisk.spool_dir / "recording"

    @property
    def archive(self) -> Path:
        """Where stored recordings lie."""
        return self.folder / "archive"

    @property
    def sound_folders(self) -> tuple[Path, ...]:
        """Every folder in which audio of a call could lie, however it got there."""
        return (self.asterisk.spool_dir, self.archive, self.folder / "state" / "journal")

    def start(self, say: Say = lambda _: None) -> None:
        """Build and start everything, and return when calls can be made."""
        self._write_config()
        say("the company: people, groups, numbers, policy")
        rulebook = self._company()
        say("prompts: spoken in English and Danish")
        self._prompts(rulebook)
        say("Asterisk")
        self.asterisk.start()
        say("the generated dialplan")
        self._dialplan(rulebook)
        if self._services:
            say("recorder, consent service and bridge")
            services = (self.agi, self.recorder, self.bridge)
            for service in services:
                service.start()
            for service in services:
                service.wait_ready()

    def stop(self) -> None:
        """End everything; again is harmless."""
        with ExitStack() as ends:  # each is ended, also when another could not be
            ends.callback(self.asterisk.close)
            ends.callback(self.agi.stop)
            ends.callback(self.bridge.stop)
            ends.callback(self.recorder.stop)
            ends.callback(self.api.stop)
            ends.callback(self.portal.stop)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _write_config(self) -> None:
        for name in ("state", "archive"):
            (self.folder / name).mkdir(mode=0o750, exist_ok=True)
        text = settings_toml(self.ports, self.secrets, self.folder, self.spool, self.asterisk.conf_path.parent)
        with os.fdopen(os.open(self.config_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w") as file:
            file.write(text)

    def _company(self) -> Rulebook:
        url = self.settings.database
        upgrade(url)
        engine = make_engine(url)
        try:
            with read_directory(engine) as directory:
                founded = bool(directory.tenants())
            if not founded:
                ids = _same_ids_every_time()
                tenant = Tenant(next(ids), COMPANY, COUNTRY, "en")
                with change_directory(engine) as directory:
                    directory.save_tenant(tenant)
                    populate(Desk(directory, tenant, "sandbox", now(), lambda: next(ids)))
            with writing(engine) as session:
                for one in RESIDENTS:
                    digest = digest_of(one.extension, self.secrets.phones)
                    endpoint = f"PJSIP/{one.extension}"
                    session.execute(update(DeviceRow).where(DeviceRow.endpoint == endpoint).values(secret_md5=digest))
            return DatabaseRulebook(engine).load()
        finally:
            engine.dispose()

    def _prompts(self, rulebook: Rulebook) -> None:
        """Speak the prompts once a machine; later sandboxes take them from the cache."""
        cached, own = cache_dir() / "prompts", self.settings.paths.prompts
        cached.mkdir(mode=0o750, parents=True, exist_ok=True)
        # Two sandboxes that start together: the second waits, and finds them spoken.
        with (cache_dir() / "prompts.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            build_prompts(cached, rulebook, load_texts(resource_dir("ivr_prompts")))
            shutil.copytree(cached, own, dirs_exist_ok=True)

    def _dialplan(self, rulebook: Rulebook) -> None:
        settings = self.settings
        digests = {f"PJSIP/{one.extension}": digest_of(one.extension, self.secrets.phones) for one in RESIDENTS}
        witness = str(settings.paths.witness)
        pjsip = Pjsip(options=LOOPBACK_MEDIA)
        files = render(rulebook, settings.dialplan, settings.agi, digests, pjsip, witness=witness)
        installer = DialplanInstaller(settings.paths.asterisk_etc, settings.paths.backups, AmiLoader(settings.ami))
        installer.install(files, now())


def _same_ids_every_time() -> Iterator[str]:
    """Yield row ids that are the same in every sandbox, so that spoken prompts can be kept for the next one."""
    number = 0
    while True:
        number += 1
        yield str(uuid5(NAMESPACE_OID, f"sandbox {number}"))
