"""Tokens in the database; only their SHA-256 is there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import ApiTokenRow
from pbx_plugin.domain.entries import Audited
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.tokens import Token, checked_name, chosen, digest


class DatabaseTokens:
    """A site's tokens. All raise StoreUnavailableError while the database is locked or away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, tenant_id: str) -> Sequence[Token]:
        """Return a company's tokens, revoked and expired ones too, oldest first."""
        with reading(self._engine) as session:
            return _of(session, tenant_id)

    def find(self, secret: str) -> Token | None:
        """Return the token of that secret, whether it still opens anything or not."""
        with reading(self._engine) as session:
            row = session.scalars(select(ApiTokenRow).where(ApiTokenRow.sha256 == digest(secret))).one_or_none()
            return None if row is None else _token(row)

    def create(
        self, who: Desk, secret: str, name: str, scopes: Sequence[str], expires_at: datetime | None = None
    ) -> Token:
        """Keep a new token. ``who`` says for which company, by whom and when. Raises RefusedError; audited."""
        if expires_at is not None and expires_at <= who.at:
            raise RefusedError(f"expiry {expires_at.isoformat()} is past: give a later date, or none")
        with writing(self._engine) as session:
            name = checked_name(name, _of(session, who.tenant.id))
            token = Token(who.new_id(), who.tenant.id, name, chosen(scopes), who.at, who.actor, expires_at)
            session.add(
                ApiTokenRow(
                    id=token.id,
                    tenant_id=token.tenant_id,
                    name=token.name,
                    sha256=digest(secret),
                    scopes=list(token.scopes),
                    created_at=token.created_at,
                    created_by=token.created_by,
                    expires_at=token.expires_at,
                )
            )
            expiry = expires_at.isoformat() if expires_at else None
            _note(session, who, "token created", token, scopes=list(token.scopes), expires=expiry)
        return token

    def revoke(self, who: Desk, name: str) -> Token:
        """Revoke a token by name or id, at once and for good. Raises RefusedError when no living one is so called."""
        with writing(self._engine) as session:
            living = [token for token in _of(session, who.tenant.id) if token.revoked_at is None]
            found = [token for token in living if name in (token.id, token.name)]
            if not found:
                raise RefusedError(f"no token {name!r}: see 'pbx-plugin tokens list'")
            change = update(ApiTokenRow).where(ApiTokenRow.id == found[0].id)
            session.execute(change.values(revoked_at=who.at, revoked_by=who.actor))
            _note(session, who, "token revoked", found[0])
        return found[0]

    def used(self, token: Token, at: datetime, address: str) -> None:
        """Remember when and from where a token was used last."""
        with writing(self._engine) as session:
            change = update(ApiTokenRow).where(ApiTokenRow.id == token.id)
            session.execute(change.values(used_at=at, used_from=address))

    def tenant(self, token: Token) -> Tenant | None:
        """Return the token's company."""
        with reading(self._engine) as session:
            return next((t for t in SqlDirectory(session).tenants() if t.id == token.tenant_id), None)


def _of(session: Session, tenant_id: str) -> Sequence[Token]:
    query = select(ApiTokenRow).where(ApiTokenRow.tenant_id == tenant_id)
    return [_token(row) for row in session.scalars(query.order_by(ApiTokenRow.created_at, ApiTokenRow.id))]


def _token(row: ApiTokenRow) -> Token:
    return Token(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
        used_from=row.used_from,
    )


def _note(session: Session, who: Desk, action: str, token: Token, **detail: object) -> None:
    audit_id = who.new_id()
    entry = Audited(audit_id, who.tenant.id, who.at, who.actor, action, token.id, {"name": token.name, **detail})
    SqlDirectory(session).audit(entry)
