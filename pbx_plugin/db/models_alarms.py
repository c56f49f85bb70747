"""What a company was last told of each cause of alarm, so that it is told often enough and not too often."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, UtcDateTime, WireText

CAUSE_LENGTH = 100


class AlarmRow(Base):
    """A cause of alarm of which webhooks were told. ``since`` and ``told_at`` are of the last telling.

    ``over_at`` is when it was over, None while it goes on; webhooks are told of that some time later, unless it
    comes again before.
    """

    __tablename__ = "alarm"
    __table_args__ = (TABLE_OPTIONS,)

    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    cause: Mapped[str] = mapped_column(WireText(CAUSE_LENGTH), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime] = mapped_column(UtcDateTime)
    over_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
