"""Signing in to the portal: what the pages ask for. Every method is a whole step with its audit, and thread-safe.

Passwords are hashed outside of any transaction. What must not happen twice (a link, a code, a token) is decided by one
conditional statement; what may be guessed is counted before it is looked at (:mod:`pbx_plugin.services.tries`). An
account that is not there costs as much time as a wrong password, and so does one that has to wait.
"""

from __future__ import annotations

from collections.abc import Sequence

from pbx_plugin.domain.access import Action, may
from pbx_plugin.domain.portal_mails import LANGUAGES
from pbx_plugin.domain.signing import FORGOTTEN_AFTER, Stage, email_key, session_end
from pbx_plugin.services import tries
from pbx_plugin.services.account_records import Account, Session, TermsAccepted, token_digest
from pbx_plugin.services.accounts import account_try_key
from pbx_plugin.services.signing_factor import FactorSteps
from pbx_plugin.services.signing_password import PasswordSteps, company_called
from pbx_plugin.services.signing_records import (
    DeadLinkError,
    FactorOffer,
    FactorSet,
    FlawedPasswordError,
    Grant,
    LinkSeen,
    NotSignedInError,
    SessionSeen,
    Standing,
    TooManyError,
    Visitor,
    WrongError,
)
from pbx_plugin.services.signing_steps import LONGEST_ADDRESS, LONGEST_AGENT, SIGNED_IN, rules_of

__all__ = [
    "DeadLinkError",
    "FactorOffer",
    "FactorSet",
    "FlawedPasswordError",
    "Grant",
    "LinkSeen",
    "NotSignedInError",
    "SessionSeen",
    "SigningIn",
    "Standing",
    "TooManyError",
    "Visitor",
    "WrongError",
]


class SigningIn(PasswordSteps, FactorSteps):
    """The steps. Whatever takes a ``token`` raises NotSignedInError where no session has it, or not so far."""

    def asks_company(self) -> bool:
        """Whether the sign-in page must ask for the customer reference: there are several companies."""
        with self._accounts.reading() as store:
            return len(store.tenants()) > 1

    def sign_in(self, visitor: Visitor, *, company: str, email: str, password: str, keep: bool = False) -> Grant:
        """Begin a session. ``company`` is the customer reference, of no meaning where there is one company.

        What the session still waits for is the grant's stage. Raises WrongError, TooManyError.
        """
        with self._accounts.reading() as store:
            tenant = company_called(store, company)
            rules = rules_of(store, tenant)
        tenant_id = tenant.id if tenant else ""
        counter = tries.by_rules(account_try_key(tenant_id, email), tenant_id, rules)
        allowed = self._take_try(visitor, counter)
        with self._accounts.reading() as store:
            account = store.account_called(tenant_id, email_key(email))
        hasher = self._tools.hasher
        matches = hasher.matches(password, account.password_hash if account else "")
        if tenant is None:
            raise WrongError
        if account is None or not matches or not allowed or not account.active:
            reason = _reason(account, matches=matches, allowed=allowed)
            self._note(visitor, tenant, "sign-in refused", account, reason=reason)
            raise WrongError
        rehashed = hasher.hash(password) if hasher.is_stale(account.password_hash) else ""
        with self._accounts.writing() as store:
            now = store.account(tenant.id, account.id)
            if now is None or not now.active or now.password_hash != account.password_hash:
                raise WrongError
            self._succeeded(store, visitor, counter)
            if rehashed:
                store.replace_hash(account, rehashed)
            store.forget_old_tries(visitor.at - FORGOTTEN_AFTER)
            store.forget_sessions(visitor.at)
            token = self._tools.token()
            kept = keep and rules.keep_days > 0
            session = Session(
                id=self._tools.new_id(),
                tenant_id=tenant.id,
                account_id=account.id,
                sha256=token_digest(token),
                created_at=visitor.at,
                seen_at=visitor.at,
                ends_at=session_end(visitor.at, rules, keep=kept),
                keep=kept,
                address=visitor.address[:LONGEST_ADDRESS],
                agent=visitor.agent[:LONGEST_AGENT],
            )
            store.add_session(session)
            grant = self._granted(store, session, token, visitor.at)
            desk = self._desk(store, tenant, grant.standing.viewer.actor, visitor.at)
            told = {"session": session.id, "address": session.address, "keep": kept}
            if grant.standing.stage is Stage.SECOND_FACTOR:
                desk.note("password accepted", account.id, **told)
            else:
                store.signed_in(account, visitor.at)
                desk.note("signed in", account.id, **told)
        return grant

    def sign_out(self, token: str, visitor: Visitor) -> None:
        """End a session; one that is not there is no error."""
        with self._accounts.writing() as store:
            standing = self._standing(store, token, visitor.at)
            session = store.session(token_digest(token))
            if session is None:
                return
            store.end_sessions(session.tenant_id, [session.id])
            if standing is not None:
                desk = self._desk(store, standing.tenant, standing.viewer.actor, visitor.at)
                desk.note("signed out", standing.account.id, session=session.id)

    def accept_terms(self, token: str, visitor: Visitor, version: int) -> Standing:
        """Keep that the terms were accepted, in the words that were shown.

        Raises WrongError when that version is not the one to be accepted (any more), NotSignedInError.
        """
        with self._accounts.writing() as store:
            standing = self._required(store, token, visitor, (Stage.TERMS,))
            shown = standing.terms
            if shown is None or shown.version != version:
                raise WrongError
            account = standing.account
            address = visitor.address[:LONGEST_ADDRESS]
            store.add_accepted(
                TermsAccepted(account.tenant_id, account.id, version, shown.language, shown.sha256, visitor.at, address)
            )
            desk = self._desk(store, standing.tenant, standing.viewer.actor, visitor.at)
            desk.note(
                "terms accepted",
                account.id,
                version=version,
                language=shown.language,
                sha256=shown.sha256,
                address=address,
            )
            return self._required(store, token, visitor, SIGNED_IN)

    def choose_language(self, token: str, visitor: Visitor, language: str) -> Standing:
        """Let the account's pages, mails and terms be in this language. Raises WrongError for one that there is not."""
        if language not in LANGUAGES:
            raise WrongError
        with self._accounts.writing() as store:
            standing = self._required(store, token, visitor, SIGNED_IN)
            if standing.account.language != language:
                store.set_language(standing.account, language)
            return self._required(store, token, visitor, SIGNED_IN)

    def sessions(self, token: str, visitor: Visitor, *, everybody: bool = False) -> Sequence[SessionSeen]:
        """Return the living sessions of the account, latest used first; with ``everybody`` the company's.

        Raises WrongError where somebody asks for everybody's who may not; NotSignedInError.
        """
        with self._accounts.reading() as store:
            standing = self._required(store, token, visitor, (Stage.OPEN,))
            if everybody and not may(standing.viewer, Action.ACCOUNTS):
                raise WrongError
            whose = {one.id: one for one in store.accounts(standing.tenant.id)} if everybody else {}
            whose[standing.account.id] = standing.account
            found = store.sessions(standing.tenant.id, None if everybody else standing.account.id)
            alive = [one for one in found if self._standing_of(store, one, visitor.at) is not None]
        return [
            SessionSeen(one, whose[one.account_id].email, whose[one.account_id].name, one.id == standing.session.id)
            for one in alive
            if one.account_id in whose
        ]

    def end_sessions(self, token: str, visitor: Visitor, ids: Sequence[str]) -> int:
        """End some of the account's sessions, a superuser any of the company, and return how many. Ids of others are
        passed over. Raises NotSignedInError."""
        with self._accounts.writing() as store:
            standing = self._required(store, token, visitor, (Stage.OPEN,))
            whose = None if may(standing.viewer, Action.ACCOUNTS) else standing.account.id
            chosen = [one for one in store.sessions(standing.tenant.id, whose) if one.id in set(ids)]
            desk = self._desk(store, standing.tenant, standing.viewer.actor, visitor.at)
            for one in chosen:
                desk.note("session ended", one.account_id, session=one.id)
            return store.end_sessions(standing.tenant.id, [one.id for one in chosen])


def _reason(account: Account | None, *, matches: bool, allowed: bool) -> str:
    """Return why a sign-in was refused; for the audit only, never for whoever tried."""
    if not allowed:
        return "has to wait"
    if account is None:
        return "unknown"
    if not matches:
        return "wrong password" if account.password_hash else "no password yet"
    return "switched off"
