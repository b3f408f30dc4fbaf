"""The environment of Alembic: it uses the connection that `sync.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from sync.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite cannot alter most things in place: alembic copies the table instead.
    render_as_batch=True,
    # The transaction is the caller's, so that a migration commits wholly or not at all.
    transactional_ddl=False,
)
context.run_migrations()
