"""Receipts of consent as they are kept: every version that was given out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, select

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models_calls import ReceiptRow
from pbx_plugin.services.receipts import Issued


class DatabaseReceipts:
    """The versions of receipts in the database; each call is a short transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def latest(self, tenant_id: str, evidence_id: str) -> bytes | None:
        """Return the file of the latest version, None when none was issued. Raises StoreUnavailableError."""
        query = select(ReceiptRow.body).where(ReceiptRow.tenant_id == tenant_id, ReceiptRow.evidence_id == evidence_id)
        with reading(self._engine) as session:
            body = session.scalars(query.order_by(ReceiptRow.version.desc()).limit(1)).one_or_none()
        return None if body is None else body.encode("utf-8")

    def keep(self, tenant_id: str, evidence_id: str, issued: Issued, at: datetime) -> None:
        """Keep a version. Raises StoreUnavailableError; a version that is there already is a conflict of writers."""
        row = ReceiptRow(
            tenant_id=tenant_id,
            evidence_id=evidence_id,
            version=issued.version,
            at=at,
            key_id=issued.key_id,
            body=issued.content.decode("utf-8"),
        )
        with writing(self._engine) as session:
            session.add(row)
