"""Signing in: what is handed in and out, and how it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pbx_plugin.domain.access import Viewer
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.signing import Flaw, LinkPurpose, Rules, Stage
from pbx_plugin.services.account_records import Account, Session, TermsText


class WrongError(Exception):
    """It did not work, and there is no more to be said: one answer to a wrong password, an account that is not there,
    is switched off or has to wait, a wrong or used code. Say 'not right, or too many tries: wait, or set a new one'."""


class TooManyError(Exception):
    """Too many failures from this address, whatever was tried; ``seconds`` until anything from it is looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many failed tries from this address: wait {seconds} seconds")
        self.seconds = seconds


class NotSignedInError(Exception):
    """The session is not there any more, or not as far as this step asks: go to the sign-in page."""


class DeadLinkError(Exception):
    """The link was used, is too old, was replaced by a newer one, or never was."""


class FlawedPasswordError(Exception):
    """The password is not taken; ``flaws`` say why, ``rules`` hold the numbers to tell."""

    def __init__(self, flaws: Sequence[Flaw], rules: Rules) -> None:
        super().__init__(f"the password is not taken: {', '.join(flaws)}")
        self.flaws = tuple(flaws)
        self.rules = rules


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who knocks: their address, what their browser says that it is, and when it is (UTC)."""

    address: str
    at: datetime
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a session has come. Nothing of the company may be shown unless ``stage`` is *open*.

    ``terms`` are what is to be accepted at stage *terms*, in the account's language where there is such a text.
    """

    stage: Stage
    viewer: Viewer
    account: Account
    tenant: Tenant
    session: Session
    rules: Rules
    terms: TermsText | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A session's new token, to be set as cookie: until ``until`` where the visitor stays signed in, else for as long
    as the browser is open (None). The token before is worth nothing any more."""

    token: str = field(repr=False)
    standing: Standing
    until: datetime | None


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """A living link: what it is for, whose it is, and what their password must be like."""

    purpose: LinkPurpose
    email: str
    name: str
    language: str
    tenant: Tenant
    rules: Rules


@dataclass(frozen=True, slots=True)
class FactorOffer:
    """A second factor to be set up: the secret (base32) to type and the address (``otpauth://``) for a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FactorSet:
    """A second factor that counts from now on. The recovery codes are shown this once."""

    grant: Grant
    recovery_codes: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """A living session in a list; ``own`` says that it is the one that asked."""

    session: Session
    email: str
    name: str
    own: bool
