"""Companies, departments, people, their phones and numbers: what the rulebook is made of.

Uniqueness is per tenant, but for three things of which one Asterisk or one world has only one: an endpoint, a queue's
name and a number in E.164. Composite foreign keys keep one tenant's rows from pointing at another's.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, choice
from pbx_plugin.domain.bridging import Strategy
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.policy import GroupKind


class TenantRow(Base):
    """A company. ``country`` is the ISO 3166 region in which its nationally written numbers are read."""

    __tablename__ = "tenant"
    __table_args__ = (TABLE_OPTIONS,)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    country: Mapped[str] = mapped_column(String(2), default="DK")
    language: Mapped[str] = mapped_column(String(16), default="en")


class DepartmentRow(Base):
    """A department; people without one belong to "Undefined", which has no row."""

    __tablename__ = "department"
    __table_args__ = (UniqueConstraint("tenant_id", "name"), UniqueConstraint("tenant_id", "id"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    name: Mapped[str] = mapped_column(String(100))


class PersonRow(Base):
    """A user. ``ddi`` is their own direct number in E.164. An inactive person is kept for their recordings' sake."""

    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("tenant_id", "extension"),
        UniqueConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "department_id"], ["department.tenant_id", "department.id"]),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    department_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254), default="")
    extension: Mapped[str | None] = mapped_column(String(32), default=None)
    ddi: Mapped[str] = mapped_column(String(32), default="")
    mode: Mapped[Mode] = mapped_column(choice(Mode), default=Mode.NEVER)
    enrolled: Mapped[bool] = mapped_column(default=False)
    may_pause: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str] = mapped_column(String(16), default="en")
    active: Mapped[bool] = mapped_column(default=True)

    devices: Mapped[list[DeviceRow]] = relationship(
        order_by="DeviceRow.endpoint",
        cascade="all, delete-orphan",
        primaryjoin="PersonRow.id == foreign(DeviceRow.person_id)",
    )


class DeviceRow(Base):
    """A phone: an Asterisk endpoint such as ``PJSIP/101``.

    ``secret_md5`` is MD5 of ``user:realm:password`` for an endpoint that the product generates, else None.
    """

    __tablename__ = "device"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "person_id"], ["person.tenant_id", "person.id"], ondelete="CASCADE"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    endpoint: Mapped[str] = mapped_column(String(120), unique=True)
    secret_md5: Mapped[str | None] = mapped_column(String(32), default=None)


class HuntGroupRow(Base):
    """A queue or ring group: ``number`` is dialled, ``name`` is the queue's name in Asterisk.

    What follows ``kind`` counts where ``bridged`` is set: we ring and bridge its calls ourselves.
    """

    __tablename__ = "hunt_group"
    __table_args__ = (UniqueConstraint("tenant_id", "number"), UniqueConstraint("tenant_id", "id"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    number: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[GroupKind] = mapped_column(choice(GroupKind))
    bridged: Mapped[bool] = mapped_column(default=False)
    strategy: Mapped[Strategy] = mapped_column(choice(Strategy), default=Strategy.RING_ALL)
    ring_seconds: Mapped[int] = mapped_column(default=20)
    wait_seconds: Mapped[int] = mapped_column(default=60)
    wrap_up_seconds: Mapped[int] = mapped_column(default=0)
    music: Mapped[bool] = mapped_column(default=False)


class GroupMemberRow(Base):
    """A person in a hunt group; members are rung in the order of ``position``."""

    __tablename__ = "group_member"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "group_id"], ["hunt_group.tenant_id", "hunt_group.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["tenant_id", "person_id"], ["person.tenant_id", "person.id"], ondelete="CASCADE"),
        Index("ix_group_member_person_id", "person_id"),
        TABLE_OPTIONS,
    )

    group_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    position: Mapped[int] = mapped_column(default=0)


class ConsentNumberRow(Base):
    """A number on which our IVR asks for consent, in which languages, and where yes and no lead.

    Each leads to one of a group, a person and a place in the dialplan (``context,extension,priority``). ``by_country``
    and ``by_key`` are pairs such as ``SE=sv,FI=sv`` and ``9=en``.
    """

    __tablename__ = "consent_number"
    __table_args__ = (
        UniqueConstraint("tenant_id", "number"),
        UniqueConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "yes_group_id"], ["hunt_group.tenant_id", "hunt_group.id"]),
        ForeignKeyConstraint(["tenant_id", "no_group_id"], ["hunt_group.tenant_id", "hunt_group.id"]),
        ForeignKeyConstraint(["tenant_id", "yes_person_id"], ["person.tenant_id", "person.id"]),
        ForeignKeyConstraint(["tenant_id", "no_person_id"], ["person.tenant_id", "person.id"]),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    number: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(16), default="en")
    by_country: Mapped[str] = mapped_column(String(200), default="")
    by_key: Mapped[str] = mapped_column(String(60), default="")
    yes_group_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    no_group_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    yes_person_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    no_person_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    yes_place: Mapped[str] = mapped_column(String(200), default="")
    no_place: Mapped[str] = mapped_column(String(200), default="")
    purpose: Mapped[str] = mapped_column(String(80), default="quality")
    keep_days: Mapped[int] = mapped_column(default=7)
    tries: Mapped[int] = mapped_column(default=3)
    timeout_ms: Mapped[int] = mapped_column(default=5000)


class DirectNumberRow(Base):
    """A DDI in E.164 and where it leads: a person, a hunt group or a consent number, exactly one of them."""

    __tablename__ = "direct_number"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "person_id"], ["person.tenant_id", "person.id"]),
        ForeignKeyConstraint(["tenant_id", "group_id"], ["hunt_group.tenant_id", "hunt_group.id"]),
        ForeignKeyConstraint(["tenant_id", "consent_number_id"], ["consent_number.tenant_id", "consent_number.id"]),
        CheckConstraint(
            "(CASE WHEN person_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN group_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN consent_number_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="leads_to_one",
        ),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    e164: Mapped[str] = mapped_column(String(32), unique=True)
    person_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    group_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    consent_number_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
