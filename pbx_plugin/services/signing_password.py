"""Steps about passwords: setting one by a one-time link, asking for such a link, changing one's own."""

from __future__ import annotations

from pbx_plugin.domain.portal_mails import Change
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.signing import Flaw, LinkPurpose, Rules, email_key, flaws, prepared
from pbx_plugin.services import tries
from pbx_plugin.services.account_mails import fresh_link, tell_changed
from pbx_plugin.services.account_records import Account, AccountLink, AccountStore, token_digest
from pbx_plugin.services.accounts import account_try_key, end_all_sessions
from pbx_plugin.services.passwords import is_among
from pbx_plugin.services.signing_records import (
    DeadLinkError,
    FlawedPasswordError,
    Grant,
    LinkSeen,
    Visitor,
    WrongError,
)
from pbx_plugin.services.signing_steps import SIGNED_IN, Steps


class PasswordSteps(Steps):
    """The part of :class:`pbx_plugin.services.signing_in.SigningIn` that is about passwords."""

    def change_password(self, token: str, visitor: Visitor, *, old: str, new: str) -> Grant:
        """Set a new password; all other sessions of the account end, and its links are dead.

        Raises WrongError for a wrong old one, FlawedPasswordError, NotSignedInError, TooManyError.
        """
        standing = self._look(token, visitor, *SIGNED_IN)
        account, tenant, rules = standing.account, standing.tenant, standing.rules
        counter = tries.by_rules(account_try_key(tenant.id, account.email), tenant.id, rules)
        allowed = self._take_try(visitor, counter)
        if not self._tools.hasher.matches(old, account.password_hash) or not allowed:
            reason = "wrong password" if allowed else "has to wait"
            self._note(visitor, tenant, "password change refused", account, reason=reason)
            raise WrongError
        with self._accounts.writing() as store:
            self._succeeded(store, visitor, counter)
        hashed = self._hashed(account, rules, new, old=old)
        with self._accounts.writing() as store:
            now = self._required(store, token, visitor, SIGNED_IN)
            if now.account.password_hash != account.password_hash:
                raise WrongError
            self._set_password(store, tenant, account, hashed, visitor, how="by themselves")
            others = [one.id for one in store.sessions(tenant.id, account.id) if one.id != now.session.id]
            ended = store.end_sessions(tenant.id, others)
            desk = self._desk(store, tenant, account.email[:100], visitor.at)
            desk.note("other sessions ended", account.id, sessions=ended)
            return self._renewed(store, now.session, visitor)

    def ask_reset(self, visitor: Visitor, *, company: str, email: str) -> None:
        """Mail a link where there is such an account. There is one answer, whether there is or not.

        Raises TooManyError for the visitor's address only.
        """
        with self._accounts.reading() as store:
            tenant = company_called(store, company)
        tenant_id = tenant.id if tenant else ""
        allowed = self._take_try(visitor, tries.of_mails(tenant_id, email_key(email)))
        # As slow for whoever is unknown, so that the time of the answer tells nothing either.
        self._tools.hasher.matches(self._tools.token(), "")
        if tenant is None:
            return
        with self._accounts.writing() as store:
            account = store.account_called(tenant.id, email_key(email))
            desk = self._desk(store, tenant, self.actor(account, visitor), visitor.at)
            if account is None or not account.active or not allowed:
                reason = "unknown" if account is None else "switched off" if not account.active else "has to wait"
                desk.note("reset refused", account.id if account else "", reason=reason, address=visitor.address[:64])
                return
            fresh_link(desk, store, self._tools, account, LinkPurpose.RESET)

    def look_at_link(self, visitor: Visitor, link: str) -> LinkSeen:
        """Return what a link is for, without using it up. Raises DeadLinkError, TooManyError."""
        self._take_try(visitor)
        with self._accounts.reading() as store:
            _, account, tenant = self._living(store, link, visitor)
            rules = store.rules(tenant.id)
            kept = store.link(token_digest(link))
        with self._accounts.writing() as store:
            self._succeeded(store, visitor)
        purpose = kept.purpose if kept else LinkPurpose.RESET
        return LinkSeen(purpose, account.email, account.name, account.language, tenant, rules)

    def use_link(self, visitor: Visitor, link: str, password: str) -> Account:
        """Set the password by a link, once; all sessions of the account end. It does not sign in: that is the next
        step, with the second factor where there is one. A flawed password leaves the link alive.

        Raises DeadLinkError, FlawedPasswordError, TooManyError.
        """
        self._take_try(visitor)
        with self._accounts.reading() as store:
            kept, account, tenant = self._living(store, link, visitor)
            rules = store.rules(tenant.id)
        with self._accounts.writing() as store:
            self._succeeded(store, visitor)
        hashed = self._hashed(account, rules, password)
        with self._accounts.writing() as store:
            if not store.take_link(kept, visitor.at):
                raise DeadLinkError
            now = store.account(tenant.id, account.id)
            if now is None or not now.active:
                raise DeadLinkError
            self._set_password(store, tenant, now, hashed, visitor, how=f"by {kept.purpose} link")
            end_all_sessions(store, now)
            store.forget_tries(account_try_key(tenant.id, now.email))
            return now

    def _living(self, store: AccountStore, link: str, visitor: Visitor) -> tuple[AccountLink, Account, Tenant]:
        kept = store.link(token_digest(link))
        if kept is None or not kept.alive(visitor.at):
            raise DeadLinkError
        account = store.account(kept.tenant_id, kept.account_id)
        tenant = next((one for one in store.tenants() if one.id == kept.tenant_id), None)
        if account is None or tenant is None or not account.active:
            raise DeadLinkError
        return kept, account, tenant

    def _hashed(self, account: Account, rules: Rules, new: str, *, old: str | None = None) -> str:
        """Return a new password's hash. Raises FlawedPasswordError, for the one of now too, whatever the rules."""
        found = flaws(new, rules, email=account.email, name=account.name)
        if not found:
            with self._accounts.reading() as store:
                before = store.past_hashes(account, rules.history) if rules.history else ()
            same = old is not None and prepared(old) == prepared(new)
            if same or is_among(self._tools.hasher, new, before):
                found = [Flaw.USED]
        if found:
            raise FlawedPasswordError(found, rules)
        return self._tools.hasher.hash(new)

    def _set_password(
        self, store: AccountStore, tenant: Tenant, account: Account, hashed: str, visitor: Visitor, *, how: str
    ) -> None:
        desk = self._desk(store, tenant, account.email[:100], visitor.at)
        store.set_password(account, hashed, visitor.at, must_change=False)
        store.end_links(account, visitor.at)
        store.cancel_mails(tenant.id, [account.id], visitor.at)
        # Nobody is told that the first one was set: there was none to be changed.
        if account.password_hash:
            tell_changed(desk, store, account, Change.PASSWORD)
        desk.note("password changed", account.id, how=how, address=visitor.address[:64])


def company_called(store: AccountStore, reference: str) -> Tenant | None:
    """Return the company of that customer reference (its name in any case, or its id); the only one in any case."""
    tenants = store.tenants()
    if len(tenants) == 1:
        return tenants[0]
    wanted = reference.strip().casefold()
    return next((one for one in tenants if wanted in (one.id.casefold(), one.name.strip().casefold())), None)
