"""``pbx-plugin init``: from nothing to a configured site with one company, in which nothing is recorded yet."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from pbx_plugin import clock
from pbx_plugin.asterisk.escape import RenderError
from pbx_plugin.asterisk.render import ari_conf, manager_conf
from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import Actor, DryRun, Json, TroubleError, named, new_id
from pbx_plugin.db import migrate
from pbx_plugin.db.directory import change_directory
from pbx_plugin.db.engine import make_engine
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.toml_text import toml_value
from pbx_plugin.services import numbering
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.settings import Agi, Ami, Ari, Dialplan, Paths, config_path, load_settings

FOLDER_MODE = 0o750
FILE_MODE = 0o640
LONGEST_COMPANY = 100
_DEFAULTS = Paths()


@dataclass(frozen=True, slots=True)
class _Wish:
    config: Path
    paths: Paths
    database: str
    tenant: Tenant
    toml: str
    snippets: dict[Path, str]

    @property
    def folders(self) -> list[Path]:
        return [
            self.config.parent,
            self.paths.state,
            self.paths.archive,
            self.paths.journal,
            self.paths.prompts,
            self.paths.backups,
        ]


def init(
    config: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Configuration to write. [default: /etc/pbx-plugin/config.toml]")
    ] = None,
    state: Annotated[Path, typer.Option(metavar="DIR", help="Our own folder.")] = _DEFAULTS.state,
    archive: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where recordings are kept. [default: STATE/archive]")
    ] = None,
    spool: Annotated[Path, typer.Option(metavar="DIR", help="Asterisk's folder of recordings.")] = _DEFAULTS.spool,
    asterisk_etc: Annotated[
        Path, typer.Option(metavar="DIR", help="Asterisk's configuration.")
    ] = _DEFAULTS.asterisk_etc,
    database: Annotated[
        str, typer.Option(metavar="URL", help="Database. [default: an SQLite file in STATE]", show_default=False)
    ] = "",
    company: Annotated[str, typer.Option(metavar="NAME", help="The company's name, as prompts say it.")] = "Company",
    country: Annotated[str, typer.Option(metavar="CODE", help="Where national numbers are at home.")] = "DK",
    language: Annotated[str, typer.Option(metavar="LANGUAGE", help="Language of prompts and announcements.")] = "en",
    ari_host: Annotated[str, typer.Option(metavar="HOST", help="Asterisk's REST interface.")] = Ari().host,
    ari_port: Annotated[int, typer.Option(metavar="PORT", help="Its port.", min=1, max=65535)] = Ari().port,
    ami_host: Annotated[str, typer.Option(metavar="HOST", help="Asterisk's manager interface.")] = Ami().host,
    ami_port: Annotated[int, typer.Option(metavar="PORT", help="Its port.", min=1, max=65535)] = Ami().port,
    agi_host: Annotated[str, typer.Option(metavar="HOST", help="Where our FastAGI service listens.")] = Agi().host,
    agi_port: Annotated[int, typer.Option(metavar="PORT", help="Its port.", min=1, max=65535)] = Agi().port,
    trunk: Annotated[str, typer.Option(metavar="NAME", help="PJSIP endpoint of the outside line.")] = Dialplan().trunk,
    pjsip: Annotated[bool, typer.Option("--pjsip/--no-pjsip", help="Generate the phones' endpoints too.")] = False,
    json: Json = False,
    dry_run: DryRun = False,
    actor: Actor = "",
) -> None:
    """Write the configuration with fresh secrets, make folders and database, and add the company."""
    chosen = (config or config_path()).absolute()
    if chosen.exists():
        raise RefusedError(f"configuration {chosen} is there already and is never overwritten: move it away first")
    paths = Paths(
        state=state.absolute(),
        archive=(archive or state / "archive").absolute(),
        spool=spool.absolute(),
        asterisk_etc=asterisk_etc.absolute(),
    )
    for text in (*map(str, paths.model_dump().values()), trunk, ari_host, ami_host, agi_host):
        _require_text(text)
    tenant = Tenant(
        id=new_id(),
        name=numbering.clean_name(company, "the company's name", LONGEST_COMPANY),
        country=numbering.clean_country(country),
        language=numbering.clean_language(language),
    )
    url = database or URL.create("sqlite", database=str(paths.state / "pbx-plugin.sqlite")).render_as_string()
    ari_password, ami_secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    sections: dict[str, dict[str, Any]] = {
        "ari": {"host": ari_host, "port": ari_port, "user": Ari().user, "password": ari_password},
        "ami": {"host": ami_host, "port": ami_port, "user": Ami().user, "secret": ami_secret},
        "agi": {"host": agi_host, "port": agi_port},
        "paths": {name: str(value) for name, value in paths.model_dump().items()},
        "dialplan": {"trunk": trunk, "pjsip": pjsip},
    }
    try:
        hidden = make_url(url).render_as_string(hide_password=True)
        snippets = {
            paths.state / "asterisk" / "pbxrec_manager.conf": manager_conf(Ami().user, ami_secret),
            paths.state / "asterisk" / "pbxrec_ari.conf": ari_conf(Ari().user, ari_password),
        }
    except ArgumentError as error:
        # What has an @ may have a password.
        typed = "(not shown)" if "@" in database else repr(database)
        raise RefusedError(f"--database {typed} is not a database URL: write it as sqlite:////path/file") from error
    except RenderError as error:
        raise RefusedError(str(error)) from error
    _require_driver(url)
    wish = _Wish(chosen, paths, url, tenant, _toml(url, sections), snippets)
    if not dry_run:
        with speech.working("making the site"):
            tenant = _make(wish, named(actor))
    _tell(wish, tenant, hidden, json=json, dry_run=dry_run)


def upgrade(json: Json = False) -> None:
    """Bring the database to the schema of this version; nothing happens when it has it already."""
    url = load_settings().database
    try:
        before = migrate.current(url)
        with speech.working("upgrading the database"):
            migrate.upgrade(url)
    except (ImportError, ArgumentError) as error:
        raise RefusedError(f"the database URL in the configuration cannot be used: {error}") from error
    if json:
        speech.say_json({"before": before, "after": migrate.newest()})
    elif before == migrate.newest():
        speech.line(f"nothing changes: the database has schema {before} already")
    else:
        speech.line(f"the database has schema {migrate.newest()} now")


def _require_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RefusedError(f"{value!r} is not valid text and cannot be kept: type it again in UTF-8") from error


def _require_driver(url: str) -> None:
    try:
        make_engine(url).dispose()
    except (ImportError, ArgumentError) as error:
        raise RefusedError(f"the database URL cannot be used: {error}") from error


def _make(wish: _Wish, actor: str) -> Tenant:
    try:
        for folder in wish.folders:
            _make_folder(folder, wish.paths.asterisk_etc)
        for path, text in wish.snippets.items():
            _make_folder(path.parent, wish.paths.asterisk_etc)
            _write(path, text, replace=True)
        migrate.upgrade(wish.database)
        tenant = _first_tenant(wish, actor)
        # Last: while there is no configuration, a run that failed half-way can simply be repeated.
        _write(wish.config, wish.toml, replace=False)
    except FileExistsError as error:
        raise RefusedError(f"configuration {wish.config} is there already and is never overwritten") from error
    except OSError as error:
        raise TroubleError(f"the site cannot be made: {error}; no configuration was written") from error
    return tenant


def _first_tenant(wish: _Wish, actor: str) -> Tenant:
    engine = make_engine(wish.database)
    try:
        with change_directory(engine) as directory:
            known = {tenant.name: tenant for tenant in directory.tenants()}
            if wish.tenant.name in known:
                return known[wish.tenant.name]
            directory.save_tenant(wish.tenant)
            detail = {"country": wish.tenant.country, "language": wish.tenant.language}
            desk = Desk(directory, wish.tenant, actor, clock.now(), new_id)
            desk.note("company added", wish.tenant.id, name=wish.tenant.name, **detail)
            return wish.tenant
    finally:
        engine.dispose()


def _make_folder(folder: Path, like: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "something else is in the place of a folder", str(folder))
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=FOLDER_MODE)
        # Asterisk plays the prompts and reads by the group of its own folder. Without the right to give, ours stays.
        with suppress(OSError):
            os.chown(one, -1, like.stat().st_gid)


def _write(path: Path, text: str, *, replace: bool) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, FILE_MODE)
            file.write(text)
            file.flush()
            os.fsync(handle)
        if replace:
            part.replace(path)
        else:
            path.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)


def _toml(database: str, sections: dict[str, dict[str, Any]]) -> str:
    lines = [
        "# Configuration of pbx-plugin. It holds passwords: mode 0640.",
        f"database = {toml_value(database)}",
    ]
    for name, values in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {toml_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _tell(wish: _Wish, tenant: Tenant, database: str, *, json: bool, dry_run: bool) -> None:
    manager, ari = (str(path) for path in wish.snippets)
    if json:
        speech.say_json(
            {
                "config": str(wish.config),
                "database": database,
                "folders": [str(folder) for folder in wish.folders],
                "snippets": {"manager.conf": manager, "ari.conf": ari},
                "tenant": {
                    "id": tenant.id,
                    "name": tenant.name,
                    "country": tenant.country,
                    "language": tenant.language,
                },
                "made": not dry_run,
            }
        )
        return
    speech.fields(
        {
            "configuration": wish.config,
            "database": database,
            "company": f"{tenant.name} ({tenant.country}, {tenant.language})",
            "state": wish.paths.state,
            "archive": wish.paths.archive,
        }
    )
    if dry_run:
        speech.hint("dry run: nothing was made")
        return
    etc = wish.paths.asterisk_etc
    speech.block(
        "Nothing is recorded yet. Next:\n"
        f"1. let {etc}/manager.conf include {manager}\n"
        f"   and {etc}/ari.conf include {ari} (they hold the passwords; http.conf must be enabled), reload Asterisk\n"
        "2. pbx-plugin users add, groups add, numbers add-consent, policy apply\n"
        "3. pbx-plugin prompts build, dialplan install\n"
        "4. pbx-plugin run, and pbx-plugin doctor to see what is missing"
    )
