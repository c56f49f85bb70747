"""What the commands of ``pbx-plugin portal`` share: opening a company's accounts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pbx_plugin import clock
from pbx_plugin.bootstrap import build_account_tools
from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import TroubleError, engine, named, new_id, tenant_of
from pbx_plugin.db.accounts import DatabaseAccounts
from pbx_plugin.services.account_mails import link_address
from pbx_plugin.services.account_records import SealError
from pbx_plugin.services.accounts import Office
from pbx_plugin.services.audit import Desk
from pbx_plugin.settings import load_settings


@contextmanager
def at_work(company: str, actor: str, *, dry_run: bool = False) -> Iterator[Office]:
    """Open one company's accounts for a change, in force as a whole at the end; nothing stays of a dry run."""
    tools = build_account_tools(load_settings())
    try:
        with engine() as opened, DatabaseAccounts(opened, dry_run=dry_run).writing() as store:
            desk = Desk(store, tenant_of(store, company), named(actor), clock.now(), new_id)
            yield Office(desk, store, tools)
    except SealError as error:
        raise TroubleError(str(error)) from error
    if dry_run:
        speech.hint("dry run: nothing was changed")


@contextmanager
def looking_at(company: str) -> Iterator[Office]:
    """Open one company's accounts for looking only."""
    tools = build_account_tools(load_settings())
    with engine() as opened, DatabaseAccounts(opened).reading() as store:
        desk = Desk(store, tenant_of(store, company), "", clock.now(), new_id)
        yield Office(desk, store, tools)


def shown_link(office: Office, token: str) -> str:
    """Return a one-time link as it is handed over."""
    return link_address(office.tools, token)
