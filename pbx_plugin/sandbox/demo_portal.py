"""The portal of a demonstration that was left up: its process, accounts for three people, and what they choose from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

from pbx_plugin.bootstrap import build_account_tools
from pbx_plugin.clock import now
from pbx_plugin.db.accounts import DatabaseAccounts
from pbx_plugin.db.directory import change_directory
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.working import change_work
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.handing import Rules
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.working import ChoiceKind
from pbx_plugin.sandbox.site import Site
from pbx_plugin.services import accounts, evaluating, handing, people, working
from pbx_plugin.services.account_mails import link_address
from pbx_plugin.services.accounts import AccountWish, Office
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import Directory
from pbx_plugin.services.people import PersonWish
from pbx_plugin.settings import Settings

DEPARTMENT = "Service"
STAFF = ("231", "233", "201")
"""Who works there: Rikke and Sara of the demonstration's calls, and Anna."""

OUTCOMES = ("Solved", "Call back", "Sent on")
RESPONSES = ("Content", "Undecided", "Complains")
FORM = {
    "scale": [1, 5],
    "categories": [
        {
            "name": "Manner",
            "weight": 1,
            "questions": [
                {"key": "greeting", "text": "Was the caller greeted with company and name?", "weight": 1},
                {"key": "listening", "text": "Was the caller let finish?", "weight": 2},
            ],
        },
        {
            "name": "Matter",
            "weight": 2,
            "questions": [
                {"key": "understood", "text": "Was the caller's errand understood?", "weight": 1},
                {"key": "solved", "text": "Was it solved, or is it clear what follows?", "weight": 2},
            ],
        },
    ],
}
_FREE = AccountWish(language="en", may_listen=True, may_download=True, may_mail=True)
ACCOUNTS = (
    replace(_FREE, email="sofie@sandbox.example", name="Sofie Superuser", role=Role.SUPERUSER),
    replace(
        _FREE, email="tove@sandbox.example", name="Tove Teamleader", role=Role.RESTRICTED, departments=[DEPARTMENT]
    ),
    AccountWish("rikke@sandbox.example", "Rikke Ring", "en", role=Role.OWN, user="231", may_listen=True),
)
"""A superuser, the leader of the department, and a user who sees her own calls."""


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who can sign in by ``link``, once: it asks for a password and leads in."""

    email: str
    role: Role
    link: str


def open_portal(site: Site) -> list[Invited]:
    """Start the portal and invite its people; returns when it answers. Raises ServiceError."""
    settings = site.settings
    furnish(settings)
    site.portal.start()
    site.portal.wait_ready()
    return invite(settings)


def furnish(settings: Settings) -> None:
    """Give the company a department, lists, an evaluation form, and leave to download. Again changes nothing."""
    engine = make_engine(settings.database, busy_ms=5000)
    try:
        with change_directory(engine) as directory:
            desk = _desk(directory)
            if DEPARTMENT not in [part.name for part in directory.departments(desk.tenant.id)]:
                people.add_department(desk, DEPARTMENT)
            staff = [people.find(desk, extension) for extension in STAFF]
            people.change(desk, staff, PersonWish(department=DEPARTMENT))
        with change_work(engine) as work:
            desk = _desk(work.directory)
            working.set_choices(work, desk, None, ChoiceKind.OUTCOME, OUTCOMES)
            working.set_choices(work, desk, None, ChoiceKind.RESPONSE, RESPONSES)
            evaluating.set_form(work, desk, None, FORM)
        handing.set_rules(DatabaseHanding(engine), desk, Rules(downloads=True))
    finally:
        engine.dispose()


def invite(settings: Settings, wishes: Sequence[AccountWish] = ACCOUNTS) -> list[Invited]:
    """Return a fresh one-time link for each of these accounts, made where they are not there; those before are dead."""
    with _office(settings) as office:
        told = []
        for wish in wishes:
            assert wish.email is not None  # noqa: S101  (each has one)
            account = office.store.account_called(office.desk.tenant.id, wish.email) or accounts.add(office, wish)
            token = accounts.invite(office, account, mailed=False)
            told.append(Invited(account.email, account.role, link_address(office.tools, token)))
        return told


@contextmanager
def _office(settings: Settings) -> Iterator[Office]:
    engine = make_engine(settings.database, busy_ms=5000)
    try:
        with DatabaseAccounts(engine).writing() as store:
            yield Office(_desk(store), store, build_account_tools(settings))
    finally:
        engine.dispose()


def _desk(directory: Directory) -> Desk:
    tenant: Tenant = directory.tenants()[0]
    return Desk(directory, tenant, "demonstration", now(), lambda: str(uuid4()))
