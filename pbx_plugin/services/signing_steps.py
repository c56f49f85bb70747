"""What all steps of signing in share: how far a session has come, counting tries, tokens and the audit."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.signing import (
    UNFINISHED,
    Rules,
    Stage,
    has_run_out,
    session_alive,
    stage,
)
from pbx_plugin.services import tries
from pbx_plugin.services.account_records import (
    Account,
    Accounts,
    AccountStore,
    Session,
    TermsText,
    Tools,
    token_digest,
)
from pbx_plugin.services.accounts import viewer_of
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.services.signing_records import Grant, NotSignedInError, Standing, TooManyError, Visitor

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is kept when a session was used last: a click must not cost a write each time."""

LONGEST_ADDRESS = 64
LONGEST_AGENT = 200
SIGNED_IN = frozenset({Stage.PASSWORD, Stage.SET_UP_FACTOR, Stage.TERMS, Stage.OPEN})
"""Stages of somebody who has shown all that they have to show."""


class Steps:
    """The base of :class:`pbx_plugin.services.signing_in.SigningIn`."""

    def __init__(self, accounts: Accounts, tools: Tools) -> None:
        self._accounts = accounts
        self._tools = tools

    def standing(self, token: str, visitor: Visitor) -> Standing | None:
        """Return how far a session has come, and that it was seen; None when there is none. For every request.

        Roles, switches, rules and terms are those of this moment. Raises StoreUnavailableError.
        """
        with self._accounts.reading() as store:
            standing = self._standing(store, token, visitor.at)
        if standing is not None and visitor.at - standing.session.seen_at >= SEEN_EVERY:
            seen = replace(
                standing.session, seen_at=visitor.at, address=_cut(visitor.address), agent=_cut_agent(visitor.agent)
            )
            # A busy database must not keep anybody from looking at what it can still tell.
            with suppress(StoreUnavailableError), self._accounts.writing() as store:
                store.save_session(seen, standing.session)
        return standing

    def _standing(self, store: AccountStore, token: str, at: datetime) -> Standing | None:
        session = store.session(token_digest(token)) if token else None
        return None if session is None else self._standing_of(store, session, at)

    def _standing_of(self, store: AccountStore, session: Session, at: datetime) -> Standing | None:
        account = store.account(session.tenant_id, session.account_id)
        tenant = next((one for one in store.tenants() if one.id == session.tenant_id), None)
        if account is None or tenant is None or not account.active:
            return None
        rules = store.rules(tenant.id)
        alive = session_alive(
            created_at=session.created_at,
            seen_at=session.seen_at,
            ends_at=session.ends_at,
            keep=session.keep,
            rules=rules,
            at=at,
        )
        terms = _terms_due(store, account, tenant)
        reached = stage(
            code_due=account.factor_at is not None and session.factor_at is None,
            password_due=account.must_change or has_run_out(account.password_at, rules, at),
            factor_due=account.factor_at is None and account.role in rules.factor_roles,
            terms_due=terms is not None,
        )
        if not alive or (reached is Stage.SECOND_FACTOR and at >= session.created_at + UNFINISHED):
            return None
        return Standing(
            stage=reached,
            viewer=viewer_of(store, account),
            account=account,
            tenant=tenant,
            session=session,
            rules=rules,
            terms=terms if reached is Stage.TERMS else None,
        )

    def _required(self, store: AccountStore, token: str, visitor: Visitor, stages: Iterable[Stage]) -> Standing:
        standing = self._standing(store, token, visitor.at)
        if standing is None or standing.stage not in stages:
            raise NotSignedInError
        return standing

    def _look(self, token: str, visitor: Visitor, *stages: Stage) -> Standing:
        with self._accounts.reading() as store:
            return self._required(store, token, visitor, stages)

    def _granted(self, store: AccountStore, session: Session, token: str, at: datetime) -> Grant:
        standing = self._standing_of(store, session, at)
        if standing is None:
            raise NotSignedInError
        return Grant(token, standing, session.ends_at if session.keep else None)

    def _renewed(
        self, store: AccountStore, session: Session, visitor: Visitor, *, factor_at: datetime | None = None
    ) -> Grant:
        """Give a session another token, because it may more than before: an older one that leaked may nothing."""
        token = self._tools.token()
        fresh = replace(
            session,
            sha256=token_digest(token),
            seen_at=visitor.at,
            factor_at=factor_at or session.factor_at,
            address=_cut(visitor.address),
            agent=_cut_agent(visitor.agent),
        )
        if not store.save_session(fresh, session):
            raise NotSignedInError
        return self._granted(store, fresh, token, visitor.at)

    def _take_try(self, visitor: Visitor, *counters: tries.Counter) -> bool:
        """Count a try at these, and at the visitor's address; whether it may be made.

        Raises TooManyError where the address has to wait: that tells about the address and about nobody's account.
        """
        waits = tries.take(self._accounts, visitor.at, tries.of_address(visitor.address), *counters)
        if waits[0]:
            raise TooManyError(-int(-waits[0].total_seconds() // 1))
        return not any(waits)

    def _succeeded(self, store: AccountStore, visitor: Visitor, *counters: tries.Counter) -> None:
        tries.give_back(store, visitor.at, tries.of_address(visitor.address))
        for counter in counters:
            store.forget_tries(counter.key)

    def _desk(self, store: AccountStore, tenant: Tenant, actor: str, at: datetime) -> Desk:
        return Desk(store, tenant, actor, at, self._tools.new_id)

    def _note(self, visitor: Visitor, tenant: Tenant, action: str, account: Account | None, **detail: object) -> None:
        """Audit what was refused, in a transaction of its own. What was typed is not kept: it may be a password."""
        with self._accounts.writing() as store:
            actor = self.actor(account, visitor)
            subject = account.id if account else ""
            self._desk(store, tenant, actor, visitor.at).note(action, subject, address=_cut(visitor.address), **detail)

    @staticmethod
    def actor(account: Account | None, visitor: Visitor) -> str:
        """Return who the audit says it was."""
        return (account.email if account else f"somebody at {visitor.address or 'unknown'}")[:100]


def rules_of(store: AccountStore, tenant: Tenant | None) -> Rules:
    """Return the company's rules; the usual ones for a company that there is not."""
    return Rules() if tenant is None else store.rules(tenant.id)


def spoken(texts: Iterable[TermsText], *languages: str) -> TermsText | None:
    """Return the text in the first of these languages that there is, else in English, else any."""
    by_language = {text.language: text for text in texts}
    wanted = [by_language[one] for one in (*languages, "en") if one in by_language]
    return next(iter([*wanted, *by_language.values()]), None)


def _terms_due(store: AccountStore, account: Account, tenant: Tenant) -> TermsText | None:
    version = store.terms_version(tenant.id)
    if not version or any(one.version == version for one in store.accepted(account)):
        return None
    return spoken(store.terms(tenant.id), account.language, tenant.language)


def _cut(address: str) -> str:
    return address[:LONGEST_ADDRESS]


def _cut_agent(agent: str) -> str:
    return agent[:LONGEST_AGENT]
