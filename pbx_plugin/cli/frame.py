"""What every command shares: its common options, the opening of settings and directory, and the company it is for."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError

from pbx_plugin import clock
from pbx_plugin.cli import speech
from pbx_plugin.db.directory import change_directory, read_directory
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.evidence import SiteQueries
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.rulebook import Rulebook, Tenant
from pbx_plugin.services import numbering
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import Directory, RefusedError
from pbx_plugin.settings import load_settings

WIDE = {"max_content_width": 120}
"""Lets help texts use a wide terminal; a group's does not reach its commands by itself."""

EXIT_TROUBLE = 1
EXIT_BAD_INPUT = 2

LONGEST_ACTOR = 100
BUSY_MS = 10_000
"""How long a command waits for the database's lock; the recorder holds it for milliseconds."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys, for programs.")]
Company = Annotated[str, typer.Option("--tenant", metavar="NAME", help="Company; needed only where there are several.")]
Actor = Annotated[str, typer.Option("--actor", metavar="NAME", help="Who does this, for the audit. [default: you]")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything and show the result, but change nothing.")]


class TroubleError(Exception):
    """Something beyond the input is wrong: one line saying what, and what to do."""


@contextmanager
def engine() -> Iterator[Engine]:
    """Open the configured database and let go of it at the end."""
    try:
        opened = make_engine(load_settings().database, busy_ms=BUSY_MS)
    except (ArgumentError, ImportError) as error:
        raise TroubleError(f"the database URL in the configuration cannot be used: {error}") from error
    try:
        yield opened
    finally:
        opened.dispose()


def rulebook() -> Rulebook:
    """Return the whole rulebook as it is in the database now."""
    with engine() as opened:
        return DatabaseRulebook(opened).load()


@contextmanager
def looking(company: str) -> Iterator[Desk]:
    """Open one company's directory for looking only."""
    with engine() as opened, read_directory(opened) as directory:
        yield _desk(directory, company, "")


@contextmanager
def records(company: str) -> Iterator[tuple[SiteQueries, Tenant]]:
    """Open the records of one company's calls."""
    with engine() as opened:
        with read_directory(opened) as directory:
            tenant = tenant_of(directory, company)
        yield SiteQueries(opened), tenant


@contextmanager
def changing(company: str, actor: str, *, dry_run: bool = False) -> Iterator[Desk]:
    """Open one company's directory for a change, in force as a whole at the end; nothing stays of a dry run."""
    with engine() as opened, change_directory(opened, dry_run=dry_run) as directory:
        yield _desk(directory, company, named(actor))
    if dry_run:
        speech.hint("dry run: nothing was changed")


def tenant_of(directory: Directory, company: str) -> Tenant:
    """Return the company of that name or id, or the only one. Raises RefusedError when it cannot be told."""
    tenants = directory.tenants()
    if company:
        for tenant in tenants:
            if company in (tenant.name, tenant.id):
                return tenant
        raise RefusedError(f"no company {company!r}: there is {_listed(tenants)}")
    if len(tenants) == 1:
        return tenants[0]
    if not tenants:
        raise RefusedError("there is no company yet: run 'pbx-plugin init' first")
    raise RefusedError(f"there are several companies: add --tenant, one of {_listed(tenants)}")


def new_id() -> str:
    """Return a fresh row id."""
    return str(uuid.uuid4())


def named(actor: str) -> str:
    """Return who does it, as the audit will call them: who was named, else the person at the keyboard.

    Raises RefusedError for a name that could not be kept.
    """
    return numbering.clean_name(actor, "--actor", LONGEST_ACTOR) if actor else whoever()


def whoever() -> str:
    """Return the name of the person at the keyboard, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _desk(directory: Directory, company: str, actor: str) -> Desk:
    return Desk(directory, tenant_of(directory, company), actor, clock.now(), new_id)


def _listed(tenants: Sequence[Tenant]) -> str:
    return ", ".join(repr(tenant.name) for tenant in tenants)
