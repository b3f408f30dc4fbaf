"""Alembic's environment: uses the connection that `sync.store.migrate` passes."""

from __future__ import annotations

from alembic import context

from sync.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite cannot alter most columns in place: Alembic copies the table instead.
    render_as_batch=True,
    # The caller owns the transaction, so that the whole upgrade commits or rolls back.
    transactional_ddl=False,
)
context.run_migrations()
