"""The portal's accounts as the use cases see them: records, and the port to where they are kept."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pbx_plugin.domain.access import Role
from pbx_plugin.domain.signing import LinkPurpose, Rules
from pbx_plugin.services.directory import Directory


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in, while ``active``. ``email`` is the account's name within the company; times are UTC.

    ``password_hash`` is empty until a password was set. ``factor_sealed`` is the second factor's secret, sealed by the
    site's key; it counts from ``factor_at`` on, and codes of ``factor_step`` and before were used.
    """

    id: str
    tenant_id: str
    email: str
    name: str
    role: Role
    created_at: datetime
    created_by: str
    language: str = "en"
    person_id: str | None = None
    department_ids: frozenset[str] = frozenset()
    recording_group_ids: frozenset[str] = frozenset()
    active: bool = True
    may_listen: bool = True
    may_download: bool = False
    may_mail: bool = False
    password_hash: str = field(default="", repr=False)
    password_at: datetime | None = None
    must_change: bool = False
    factor_sealed: str = field(default="", repr=False)
    factor_at: datetime | None = None
    factor_step: int = 0
    signed_in_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in or on its way; ``ends_at`` is when it ends whatever happens. Times are UTC."""

    id: str
    tenant_id: str
    account_id: str
    sha256: str = field(repr=False)
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    keep: bool = False
    factor_at: datetime | None = None
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class AccountLink:
    """A one-time link as it is kept: never the token itself. It works until ``expires_at``, or until it was ended."""

    id: str
    tenant_id: str
    account_id: str
    purpose: LinkPurpose
    sha256: str = field(repr=False)
    created_at: datetime
    created_by: str
    expires_at: datetime
    ended_at: datetime | None = None

    def alive(self, at: datetime) -> bool:
        """Whether it still opens anything at that time."""
        return self.ended_at is None and at < self.expires_at


@dataclass(frozen=True, slots=True)
class TermsText:
    """The terms of use in one language; all languages of a company's version have its number."""

    tenant_id: str
    version: int
    language: str
    text: str
    sha256: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class TermsAccepted:
    """Somebody accepted a version, in which language and words (their SHA-256), when (UTC) and from where."""

    tenant_id: str
    account_id: str
    version: int
    language: str
    sha256: str
    at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """How often something failed in a row, when last, and until when nothing is tried (UTC)."""

    failures: int
    last_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Tied:
    """The user that an account is tied to as they are now: None when they left; and the groups that they supervise."""

    person_id: str | None = None
    supervised: frozenset[str] = frozenset()


class SealError(Exception):
    """What is sealed cannot be opened, or the key not be used: says which file, and what is wrong with it."""


class Sealer(Protocol):
    """Keeps a secret so that the database alone does not tell it. Both raise SealError."""

    def seal(self, secret: str, about: str) -> str:
        """Return the secret sealed; ``about`` (an account's id) is needed to open it."""
        ...

    def open(self, sealed: str, about: str) -> str:
        """Return what was sealed."""
        ...


class Hasher(Protocol):
    """Hashes passwords slowly. All take any text."""

    def hash(self, password: str) -> str:
        """Return the hash of a password, another one each time."""
        ...

    def matches(self, password: str, password_hash: str) -> bool:
        """Whether this is the password; for an empty or broken hash it takes as long, and says no."""
        ...

    def is_stale(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        ...


class AccountStore(Directory, Protocol):
    """One open transaction over a site's directory and accounts; every lookup is within one company."""

    def accounts(self, tenant_id: str) -> Sequence[Account]:
        """Return the accounts, by e-mail address."""
        ...

    def account(self, tenant_id: str, account_id: str) -> Account | None:
        """Return one account."""
        ...

    def account_called(self, tenant_id: str, email_key: str) -> Account | None:
        """Return the account of that e-mail address, as :func:`pbx_plugin.domain.signing.email_key` makes it."""
        ...

    def tied(self, account: Account) -> Tied:
        """Return the user that an account is tied to, and what they supervise, as it is now."""
        ...

    def save_account(self, account: Account) -> None:
        """Write an account with what it sees. Raises RefusedError when the address was taken a moment ago."""
        ...

    def set_language(self, account: Account, language: str) -> None:
        """Write an account's language, and nothing else of it."""
        ...

    def delete_account(self, account: Account) -> None:
        """Delete an account with its sessions, links and codes; what it accepted is kept."""
        ...

    def set_password(self, account: Account, password_hash: str, at: datetime, *, must_change: bool) -> None:
        """Write a new password, and add it to those that the account had."""
        ...

    def replace_hash(self, account: Account, password_hash: str) -> None:
        """Write the same password hashed anew, unless another was set meanwhile."""
        ...

    def past_hashes(self, account: Account, most: int) -> Sequence[str]:
        """Return the hashes of the last passwords, newest first."""
        ...

    def signed_in(self, account: Account, at: datetime) -> None:
        """Remember when somebody signed in last."""
        ...

    def set_factor(self, account: Account, sealed: str, at: datetime | None) -> None:
        """Write a second factor's sealed secret, in force from ``at`` on (None: not yet), and forget its codes."""
        ...

    def take_step(self, account: Account, step: int) -> bool:
        """Note that the code of this time step was used; False when it or a later one was: decided by one update."""
        ...

    def set_recovery_codes(self, account: Account, sha256s: Sequence[str]) -> None:
        """Replace the recovery codes."""
        ...

    def take_recovery_code(self, account: Account, sha256: str, at: datetime) -> bool:
        """Use a recovery code up; False when there is none such, or it was used: decided by one update."""
        ...

    def recovery_codes_left(self, account: Account) -> int:
        """Return how many recovery codes were not used yet."""
        ...

    def add_link(self, link: AccountLink) -> None:
        """Add a link; the account's older ones are dead from now on."""
        ...

    def link(self, sha256: str) -> AccountLink | None:
        """Return the link whose token has this digest, dead or alive."""
        ...

    def take_link(self, link: AccountLink, at: datetime) -> bool:
        """Use a link up; False when it is dead: decided by one update."""
        ...

    def end_links(self, account: Account, at: datetime) -> None:
        """Let all of an account's links be dead."""
        ...

    def add_session(self, session: Session) -> None:
        """Add a session."""
        ...

    def session(self, sha256: str) -> Session | None:
        """Return the session whose token has this digest, ended ones not."""
        ...

    def sessions(self, tenant_id: str, account_id: str | None = None) -> Sequence[Session]:
        """Return sessions, latest seen first; of one account or of the whole company."""
        ...

    def save_session(self, session: Session, was: Session) -> bool:
        """Write a session's changes, its new token too; False when it was ended or its token replaced meanwhile."""
        ...

    def end_sessions(self, tenant_id: str, ids: Sequence[str]) -> int:
        """End sessions, and return how many there were."""
        ...

    def forget_sessions(self, before: datetime) -> None:
        """Delete what ended by itself before that time, of all companies."""
        ...

    def take_try(self, key: str, tenant_id: str, waiting: Waiting, seen: Waiting | None) -> bool:
        """Write how often something failed, unless somebody was quicker than ``seen``: decided by one statement."""
        ...

    def waiting(self, key: str) -> Waiting | None:
        """Return how often something failed lately."""
        ...

    def forget_tries(self, key: str) -> None:
        """Forget that something failed."""
        ...

    def forget_old_tries(self, before: datetime) -> None:
        """Forget what failed last before that time."""
        ...

    def rules(self, tenant_id: str) -> Rules:
        """Return a company's rules for signing in; the usual ones where it has set none."""
        ...

    def save_rules(self, tenant_id: str, rules: Rules, *, author: str, at: datetime) -> None:
        """Write a company's rules."""
        ...

    def terms(self, tenant_id: str) -> Sequence[TermsText]:
        """Return the texts of the version in force, by language; none where there are no terms."""
        ...

    def terms_version(self, tenant_id: str) -> int:
        """Return the number of the last version, 0 where there never was one."""
        ...

    def add_terms(self, texts: Sequence[TermsText]) -> None:
        """Add texts of a new version, or further languages of the one in force."""
        ...

    def accepted(self, account: Account) -> Sequence[TermsAccepted]:
        """Return what somebody accepted, latest version first."""
        ...

    def add_accepted(self, accepted: TermsAccepted) -> None:
        """Keep that somebody accepted a version; a second time changes nothing."""
        ...


class Accounts(Protocol):
    """A site's accounts; both raise StoreUnavailableError while the database is locked or away."""

    def reading(self) -> AbstractContextManager[AccountStore]:
        """Open them for looking only."""
        ...

    def writing(self) -> AbstractContextManager[AccountStore]:
        """Open them for a change, true as a whole at the end, or not at all when something is raised."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What the use cases need besides: hashing, sealing, randomness, ids, and where people find the portal.

    ``random`` returns that many random bytes. ``public_url`` is what links in mails begin with, without a slash.
    """

    hasher: Hasher
    sealer: Sealer
    random: Callable[[int], bytes]
    new_id: Callable[[], str]
    public_url: str

    def token(self) -> str:
        """Return a fresh token of 256 random bits, of letters that an address may hold."""
        return base64.urlsafe_b64encode(self.random(32)).rstrip(b"=").decode()


def token_digest(token: str) -> str:
    """Return what is kept of a token. It has 256 random bits: a slow hash would add nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
