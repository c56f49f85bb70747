"""The portal's accounts, and what signing in needs: links, sessions, what failed, terms, and each company's rules.

Of secrets that are random only their SHA-256 is kept, of passwords an argon2 hash, of a second factor's secret what
the site's own key sealed. Chosen departments, groups and the tied user are plain ids without foreign keys: one that is
gone matches nothing, and letting a user go needs to know nothing of accounts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, BigId, LongText, UtcDateTime, WireText, choice
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.signing import LinkPurpose

DIGEST_LENGTH = 64
HASH_LENGTH = 200
EMAIL_LENGTH = 254


class AccountRow(Base):
    """Somebody who may sign in. ``email_key`` is the e-mail address as it is compared: the name within the company."""

    __tablename__ = "portal_account"
    __table_args__ = (UniqueConstraint("tenant_id", "email_key"), UniqueConstraint("tenant_id", "id"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    email: Mapped[str] = mapped_column(WireText(EMAIL_LENGTH))
    email_key: Mapped[str] = mapped_column(WireText(EMAIL_LENGTH))
    name: Mapped[str] = mapped_column(WireText(200))
    language: Mapped[str] = mapped_column(String(16), default="en")
    role: Mapped[Role] = mapped_column(choice(Role))
    person_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    active: Mapped[bool] = mapped_column(default=True)
    may_listen: Mapped[bool] = mapped_column(default=True)
    may_download: Mapped[bool] = mapped_column(default=False)
    may_mail: Mapped[bool] = mapped_column(default=False)
    password_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), default="")
    password_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    must_change: Mapped[bool] = mapped_column(default=False)
    factor_sealed: Mapped[str] = mapped_column(String(HASH_LENGTH), default="")
    factor_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    factor_step: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(WireText(100))
    signed_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class AccountReachRow(Base):
    """A department or recording group that a restricted account sees; Undefined is the department without id."""

    __tablename__ = "portal_account_reach"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["portal_account.tenant_id", "portal_account.id"]),
        TABLE_OPTIONS,
    )

    account_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    unit_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))


class PasswordRow(Base):
    """A password that an account had, so that it is not taken again."""

    __tablename__ = "portal_password"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["portal_account.tenant_id", "portal_account.id"]),
        Index("ix_portal_password_account_id_seq", "account_id", "seq"),
        TABLE_OPTIONS,
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    account_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    hash: Mapped[str] = mapped_column(String(HASH_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class RecoveryCodeRow(Base):
    """A code that takes the place of the second factor, once."""

    __tablename__ = "portal_recovery_code"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["portal_account.tenant_id", "portal_account.id"]),
        TABLE_OPTIONS,
    )

    account_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class AccountLinkRow(Base):
    """A one-time link by which a password is set. ``ended_at`` is when it was used, or when a newer one replaced it."""

    __tablename__ = "portal_link"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["portal_account.tenant_id", "portal_account.id"]),
        Index("ix_portal_link_account_id", "account_id"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    account_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    purpose: Mapped[LinkPurpose] = mapped_column(choice(LinkPurpose))
    sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(WireText(100))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class SessionRow(Base):
    """A browser that is signed in, or is on its way (``factor_at`` is None where a code is still asked for)."""

    __tablename__ = "portal_session"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["portal_account.tenant_id", "portal_account.id"]),
        Index("ix_portal_session_account_id", "account_id"),
        Index("ix_portal_session_ends_at", "ends_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    account_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    keep: Mapped[bool] = mapped_column(default=False)
    factor_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    address: Mapped[str] = mapped_column(WireText(64), default="")
    agent: Mapped[str] = mapped_column(WireText(200), default="")


class ThrottleRow(Base):
    """How often something failed lately, for an account, an address or a second factor, and until when it waits.

    ``key`` is a digest: an account that does not exist is counted just as one that does. No foreign key, for the same
    reason; addresses belong to no company and have an empty ``tenant_id``.
    """

    __tablename__ = "portal_throttle"
    __table_args__ = (Index("ix_portal_throttle_last_at", "last_at"), TABLE_OPTIONS)

    key: Mapped[str] = mapped_column(String(DIGEST_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class TermsRow(Base):
    """A text of the terms of use: a version is the texts of all languages under one number. Never changed."""

    __tablename__ = "portal_terms"
    __table_args__ = (TABLE_OPTIONS,)

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    text: Mapped[str] = mapped_column(LongText)
    sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(WireText(100))


class TermsAcceptedRow(Base):
    """Somebody accepted a version, in which words; kept when the account is gone."""

    __tablename__ = "portal_terms_accepted"
    __table_args__ = (TABLE_OPTIONS,)

    account_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    language: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    address: Mapped[str] = mapped_column(WireText(64), default="")


class PortalRulesRow(Base):
    """A company's rules for signing in; what ``body`` does not name is as :class:`pbx_plugin.domain.signing.Rules`."""

    __tablename__ = "portal_rules"
    __table_args__ = (TABLE_OPTIONS,)

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(WireText(100))
