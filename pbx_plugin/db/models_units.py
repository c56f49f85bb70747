"""How a company divides its people besides departments: districts, cost centres, offices, recording groups.

None of these is asked when a call is decided; they are for finding, filtering and supervising recordings.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, choice
from pbx_plugin.services.people_records import Role, UnitKind


class UnitRow(Base):
    """A district, cost centre or office of a company."""

    __tablename__ = "unit"
    __table_args__ = (
        UniqueConstraint("tenant_id", "kind", "name"),
        UniqueConstraint("tenant_id", "kind", "id", name="uq_unit_kind_id"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    kind: Mapped[UnitKind] = mapped_column(choice(UnitKind))
    name: Mapped[str] = mapped_column(String(120))


class PersonUnitRow(Base):
    """Where a person belongs: at most one unit of each kind."""

    __tablename__ = "person_unit"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "person_id"], ["person.tenant_id", "person.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["tenant_id", "kind", "unit_id"], ["unit.tenant_id", "unit.kind", "unit.id"]),
        Index("ix_person_unit_unit_id", "unit_id"),
        TABLE_OPTIONS,
    )

    person_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    kind: Mapped[UnitKind] = mapped_column(choice(UnitKind), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    unit_id: Mapped[str] = mapped_column(String(ID_LENGTH))


class RecordingGroupRow(Base):
    """People whose recordings are supervised together; nothing to do with who rings."""

    __tablename__ = "recording_group"
    __table_args__ = (UniqueConstraint("tenant_id", "name"), UniqueConstraint("tenant_id", "id"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    name: Mapped[str] = mapped_column(String(120))


class RecordingGroupMemberRow(Base):
    """A person in a recording group, as member or as supervisor; both are possible."""

    __tablename__ = "recording_group_member"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "group_id"], ["recording_group.tenant_id", "recording_group.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["tenant_id", "person_id"], ["person.tenant_id", "person.id"], ondelete="CASCADE"),
        Index("ix_recording_group_member_person_id", "person_id"),
        TABLE_OPTIONS,
    )

    group_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    role: Mapped[Role] = mapped_column(choice(Role), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
