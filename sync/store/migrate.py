"""Brings a database to this program's schema, in one transaction: the old schema or the new one, nothing between."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from sync.errors import StoreNewer, StoreUnreadable
from sync.store import gram
from sync.store.engine import Store
from sync.store.integrity import refuse_damage
from sync.store.tables import metadata


async def migrate(store: Store) -> bool:
    """Create or upgrade the schema.

    Returns:
        True when the database was empty, that is, this is its first start.

    Raises:
        StoreNewer: a newer program wrote it; nothing was changed.
        StoreUnreadable: the file is damaged, or holds tables that are not ours.
    """
    # Looked at through the reader first: the writer would turn a file it must not touch into a WAL database.
    async with store.read() as connection:
        await connection.run_sync(_look)
    async with store.write() as connection:
        return await connection.run_sync(_upgrade)


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database that is ours, None for an empty one.

    Raises:
        StoreNewer: a newer program wrote it.
        StoreUnreadable: it holds tables that are not ours.
    """
    present = MigrationContext.configure(connection).get_current_revision()
    if present is None and inspect(connection).get_table_names():
        raise StoreUnreadable(
            "The database file belongs to another program.",
            hint="Choose another data directory; it was not touched.",
        )
    known = {revision.revision for revision in _script().walk_revisions()}
    if present is not None and present not in known:
        raise StoreNewer(hint="Start the version of Rollcall that wrote it, or a later one; it was not touched.")
    return present


def _look(connection: Connection) -> None:
    if revision_of(connection) is not None and connection.dialect.name == "sqlite":
        refuse_damage(connection)


def _upgrade(connection: Connection) -> bool:
    present, config = revision_of(connection), configuration(connection)
    if present != head():
        command.upgrade(config, "head")
    gram.prepare(connection)
    return present is None


def head() -> str | None:
    """Return this program's own revision."""
    return _script().get_current_head()


@cache
def _script() -> ScriptDirectory:
    """Return the revisions; read once, because reading them costs more than everything else an opening does."""
    return ScriptDirectory.from_config(_location())


def _location() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def configuration(connection: Connection) -> Config:
    """Make alembic's configuration for a connection whose transaction is already open."""
    config = _location()
    config.attributes["connection"] = connection
    return config


def differences(connection: Connection) -> list[object]:
    """List what the tables in the database lack against the declared ones; empty when they are equal."""

    def is_declared(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name is None or not gram.is_own(name)

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_declared})
    return list(compare_metadata(context, metadata))
