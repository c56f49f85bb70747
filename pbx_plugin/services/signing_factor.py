"""Steps about the second factor: giving its codes, setting it up, doing without it."""

from __future__ import annotations

from pbx_plugin.domain.portal_mails import Change
from pbx_plugin.domain.signing import Stage
from pbx_plugin.services import second_factor, tries
from pbx_plugin.services.account_mails import tell_changed
from pbx_plugin.services.account_records import Account, AccountStore, SealError
from pbx_plugin.services.accounts import account_try_key, factor_try_key
from pbx_plugin.services.signing_records import FactorOffer, FactorSet, Grant, Standing, Visitor, WrongError
from pbx_plugin.services.signing_steps import Steps


class FactorSteps(Steps):
    """The part of :class:`pbx_plugin.services.signing_in.SigningIn` that is about the second factor."""

    def give_code(self, token: str, visitor: Visitor, code: str) -> Grant:
        """Take a code of the second factor, or a recovery code, each once. The session gets another token.

        Raises WrongError, TooManyError, NotSignedInError.
        """
        standing = self._look(token, visitor, Stage.SECOND_FACTOR)
        counter, allowed = self._try_code(standing, visitor)
        grant = None
        if allowed:
            with self._accounts.writing() as store:
                now = self._required(store, token, visitor, (Stage.SECOND_FACTOR,))
                how = self._taken(store, now.account, code, visitor)
                if how:
                    self._succeeded(store, visitor, counter)
                    store.signed_in(now.account, visitor.at)
                    desk = self._desk(store, now.tenant, now.viewer.actor, visitor.at)
                    left = store.recovery_codes_left(now.account)
                    desk.note(
                        "signed in", now.account.id, address=visitor.address[:64], factor=how, recovery_codes_left=left
                    )
                    grant = self._renewed(store, now.session, visitor, factor_at=visitor.at)
        if grant is None:
            reason = "wrong code" if allowed else "has to wait"
            self._note(visitor, standing.tenant, "sign-in refused", standing.account, reason=reason)
            raise WrongError
        return grant

    def offer_factor(self, token: str, visitor: Visitor) -> FactorOffer:
        """Begin to set up a second factor; it counts once a code of it was given. Another offer replaces it.

        Raises WrongError where there is one already: it must be dropped first. Raises NotSignedInError, SealError.
        """
        standing = self._look(token, visitor, Stage.SET_UP_FACTOR, Stage.OPEN)
        account = standing.account
        if account.factor_at is not None:
            raise WrongError
        secret = second_factor.fresh_secret(self._tools.random)
        sealed = self._tools.sealer.seal(secret, account.id)
        with self._accounts.writing() as store:
            now = self._required(store, token, visitor, (Stage.SET_UP_FACTOR, Stage.OPEN))
            if now.account.factor_at is not None:
                raise WrongError
            store.set_factor(account, sealed, None)
        uri = second_factor.address(secret, email=account.email, company=standing.tenant.name)
        return FactorOffer(secret, uri)

    def set_factor(self, token: str, visitor: Visitor, code: str) -> FactorSet:
        """Let the offered second factor count. Raises WrongError for a wrong code, or when nothing was offered.

        Other sessions of the account have to give a code from now on; one that is older than that may take ends.
        """
        standing = self._look(token, visitor, Stage.SET_UP_FACTOR, Stage.OPEN)
        counter, allowed = self._try_code(standing, visitor)
        if not allowed or standing.account.factor_at is not None:
            raise WrongError
        codes = second_factor.fresh_recovery_codes(self._tools.random)
        with self._accounts.writing() as store:
            now = self._required(store, token, visitor, (Stage.SET_UP_FACTOR, Stage.OPEN))
            if (
                now.account.factor_at is None
                and second_factor.is_code(code)
                and self._taken(store, now.account, code, visitor)
            ):
                self._succeeded(store, visitor, counter)
                store.set_factor(now.account, now.account.factor_sealed, visitor.at)
                store.set_recovery_codes(now.account, [second_factor.recovery_digest(one) for one in codes])
                desk = self._desk(store, now.tenant, now.viewer.actor, visitor.at)
                desk.note("second factor set up", now.account.id, address=visitor.address[:64])
                tell_changed(desk, store, now.account, Change.FACTOR_ON)
                return FactorSet(self._renewed(store, now.session, visitor, factor_at=visitor.at), codes)
        raise WrongError

    def drop_factor(self, token: str, visitor: Visitor, *, password: str) -> Grant:
        """Do without the second factor from now on, to set up another or none; where the company's rules ask for one,
        nothing else is possible then. Raises WrongError for a wrong password, TooManyError, NotSignedInError."""
        standing = self._proven(token, visitor, password)
        with self._accounts.writing() as store:
            now = self._required(store, token, visitor, (Stage.OPEN,))
            store.set_factor(standing.account, "", None)
            desk = self._desk(store, now.tenant, now.viewer.actor, visitor.at)
            desk.note("second factor dropped", now.account.id, address=visitor.address[:64])
            if now.account.factor_at is not None:
                tell_changed(desk, store, now.account, Change.FACTOR_OFF)
            return self._renewed(store, now.session, visitor)

    def fresh_recovery_codes(self, token: str, visitor: Visitor, *, password: str) -> tuple[str, ...]:
        """Replace the recovery codes by new ones, shown this once. Raises WrongError, also without a second factor;
        TooManyError, NotSignedInError."""
        standing = self._proven(token, visitor, password)
        if standing.account.factor_at is None:
            raise WrongError
        codes = second_factor.fresh_recovery_codes(self._tools.random)
        with self._accounts.writing() as store:
            now = self._required(store, token, visitor, (Stage.OPEN,))
            store.set_recovery_codes(now.account, [second_factor.recovery_digest(one) for one in codes])
            desk = self._desk(store, now.tenant, now.viewer.actor, visitor.at)
            desk.note("recovery codes replaced", now.account.id, address=visitor.address[:64])
        return codes

    def recovery_codes_left(self, token: str, visitor: Visitor) -> int:
        """Return how many recovery codes were not used yet. Raises NotSignedInError."""
        with self._accounts.reading() as store:
            return store.recovery_codes_left(self._required(store, token, visitor, (Stage.OPEN,)).account)

    def _proven(self, token: str, visitor: Visitor, password: str) -> Standing:
        standing = self._look(token, visitor, Stage.OPEN)
        account, tenant = standing.account, standing.tenant
        counter = tries.by_rules(account_try_key(tenant.id, account.email), tenant.id, standing.rules)
        allowed = self._take_try(visitor, counter)
        if not self._tools.hasher.matches(password, account.password_hash) or not allowed:
            reason = "wrong password" if allowed else "has to wait"
            self._note(visitor, tenant, "second factor change refused", account, reason=reason)
            raise WrongError
        with self._accounts.writing() as store:
            self._succeeded(store, visitor, counter)
        return standing

    def _try_code(self, standing: Standing, visitor: Visitor) -> tuple[tries.Counter, bool]:
        counter = tries.by_rules(factor_try_key(standing.account.id), standing.tenant.id, standing.rules)
        return counter, self._take_try(visitor, counter)

    def _taken(self, store: AccountStore, account: Account, code: str, visitor: Visitor) -> str:
        """Use a code up; return what it was, or nothing when it was none."""
        if not second_factor.is_code(code):
            used = store.take_recovery_code(account, second_factor.recovery_digest(code), visitor.at)
            return "recovery code" if used else ""
        if not account.factor_sealed:
            return ""
        try:
            secret = self._tools.sealer.open(account.factor_sealed, account.id)
        except SealError:
            # The site's key is another one now: only recovery codes still open this door, or an administrator.
            return ""
        step = second_factor.matching_step(secret, code, visitor.at, after=account.factor_step)
        return "code" if step is not None and store.take_step(account, step) else ""
