"""A company whose people sign in to the portal: the steps over a real database, at times that the test tells."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from pbx_plugin.db.accounts import DatabaseAccounts
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import AuditRow, MailRow, TenantRow
from pbx_plugin.domain.access import Role
from pbx_plugin.services import accounts, portal_settings
from pbx_plugin.services.account_records import Account, Session, Tools
from pbx_plugin.services.accounts import AccountWish, Office
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.passwords import Argon2Hasher
from pbx_plugin.services.signing_in import Grant, SigningIn, Visitor
from pbx_plugin.storage.portal_key import PortalKey

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PASSWORD = "Blue-7-kettle"
HOME = "198.51.100.7"


class CountingHasher(Argon2Hasher):
    """As the real one, but quick; and it counts how often somebody waited for it."""

    def __init__(self, passes: int = 1) -> None:
        super().__init__(secrets.token_bytes, memory_kib=8, passes=passes)
        self.looked = 0

    def matches(self, password: str, password_hash: str) -> bool:
        self.looked += 1
        return super().matches(password, password_hash)


class PortalCompany:
    """A site with a company (several, where a test adds them), and the portal's door to it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.accounts = DatabaseAccounts(engine)
        self.hasher = CountingHasher()
        self.tools = Tools(
            hasher=self.hasher,
            sealer=PortalKey(folder / "keys"),
            random=secrets.token_bytes,
            new_id=lambda: str(uuid.uuid4()),
            public_url="https://calls.example.com",
        )
        self.door = SigningIn(self.accounts, self.tools)
        with writing(engine) as session:
            session.add(TenantRow(id="acme", name="Acme"))

    def after(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> datetime:
        return NOON + timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)

    def visitor(self, at: float | datetime = 0, address: str = HOME, agent: str = "browser") -> Visitor:
        return Visitor(address, at if isinstance(at, datetime) else self.after(at), agent)

    @contextmanager
    def office(self, at: float | datetime = 0, company: str = "acme") -> Iterator[Office]:
        with self.accounts.writing() as store:
            tenant = next(one for one in store.tenants() if one.id == company)
            moment = at if isinstance(at, datetime) else self.after(at)
            yield Office(Desk(store, tenant, "Sofie", moment, self.tools.new_id), store, self.tools)

    def add(self, email: str = "anna@acme.dk", role: Role = Role.OWN, *, company: str = "acme", **wish: Any) -> Account:
        """Add an account that has set its password."""
        with self.office(company=company) as office:
            account = accounts.add(office, AccountWish(email=email, role=role, **wish))
            link = accounts.invite(office, account, mailed=False)
        return self.door.use_link(self.visitor(), link, PASSWORD)

    def change(self, who: str, at: float = 0, **wish: Any) -> Account:
        with self.office(at) as office:
            return accounts.change(office, accounts.find(office, who), AccountWish(**wish))

    def work(self, what: Callable[[Office, Account], Any], email: str = "anna@acme.dk", at: float = 0) -> Any:
        """Let an administrator do something to an account."""
        with self.office(at) as office:
            return what(office, accounts.find(office, email))

    def rules(self, **values: Any) -> None:
        with self.office() as office:
            portal_settings.change_rules(office, values)

    def sign_in(
        self,
        at: float | datetime = 0,
        *,
        email: str = "anna@acme.dk",
        password: str = PASSWORD,
        company: str = "",
        address: str = HOME,
        keep: bool = False,
    ) -> Grant:
        visitor = self.visitor(at, address)
        return self.door.sign_in(visitor, company=company, email=email, password=password, keep=keep)

    def mails(self) -> list[MailRow]:
        with reading(self.engine) as session:
            return list(session.scalars(select(MailRow).order_by(MailRow.seq)))

    def audit(self, action: str = "") -> list[AuditRow]:
        with reading(self.engine) as session:
            rows = session.scalars(select(AuditRow).order_by(AuditRow.seq))
            return [row for row in rows if action in ("", row.action)]


def add_account(engine: Engine, company: str, email: str) -> tuple[str, str]:
    """Add an account with a session to a company, and return their ids."""
    account = Account(str(uuid.uuid4()), company, email, email, Role.SUPERUSER, NOON, "Sofie")
    far = datetime(2100, 1, 1, tzinfo=UTC)
    session = Session(str(uuid.uuid4()), company, account.id, uuid.uuid4().hex, far, far, far + timedelta(hours=1))
    with DatabaseAccounts(engine).writing() as store:
        store.save_account(account)
        store.add_session(session)
    return account.id, session.id
