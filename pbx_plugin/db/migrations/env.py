"""Run by Alembic with a connection that :mod:`pbx_plugin.db.migrate` opened; knows no address of its own."""

from __future__ import annotations

from alembic import context

from pbx_plugin.db.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=connection.dialect.name in ("sqlite", "postgresql"),
)
with context.begin_transaction():
    context.run_migrations()
