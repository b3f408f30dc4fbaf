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
from sqlalchemy.exc import OperationalError

from sync.errors import StoreMisfit, StoreNewer, StoreUnreadable
from sync.store import gram, keys, shape
from sync.store.engine import Store, analyze
from sync.store.facts import COMPATIBLE, read_fact
from sync.store.integrity import refuse_damage
from sync.store.tables import metadata

# How SQLite begins when a migration finds other tables than those it was written for.
_NOT_AS_EXPECTED = ("no such ", "duplicate column", "table ", "index ")


async def migrate(store: Store) -> bool:
    """Create or upgrade the schema.

    Returns:
        True when the database was empty, that is, this is its first start.

    Raises:
        StoreNewer: a newer program wrote it, and does not declare that this one may use it; nothing was changed.
        StoreMisfit: its tables are not those of its revision; nothing was changed.
        StoreUnreadable: the file is damaged, or holds tables that are not ours.
    """
    # Looked at through the reader first: the writer would turn a file it must not touch into a WAL database.
    async with store.read() as connection:
        await connection.run_sync(_look)
    async with store.write() as connection:
        return await connection.run_sync(_upgrade)


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database that this program may use, None for an empty one.

    A newer program's revision is one that this program does not know; it may declare that older ones can go on.

    Raises:
        StoreNewer: a newer program wrote it, for newer ones only.
        StoreUnreadable: it holds tables that are not ours.
    """
    present = MigrationContext.configure(connection).get_current_revision()
    if present is None and inspect(connection).get_table_names():
        raise StoreUnreadable(
            "The database file belongs to another program.",
            hint="Choose another data directory; it was not touched.",
        )
    if present is not None and not is_known(present) and not _is_compatible(connection, present):
        raise StoreNewer(
            hint="Start the version of Rollcall that wrote it, or a later one, or restore the backup that was taken "
            "before the upgrade; it was not touched."
        )
    return present


def is_known(revision: str) -> bool:
    """Tell whether a revision is one of this program's."""
    return revision in {known.revision for known in _script().walk_revisions()}


def _is_compatible(connection: Connection, present: str) -> bool:
    """Tell whether a newer revision declares that programs of a revision we know may run on its tables."""
    declared, _, oldest = (read_fact(connection, COMPATIBLE) or "").partition(" ")
    return declared == present and is_known(oldest)


def _look(connection: Connection) -> None:
    present = revision_of(connection)
    if present is not None and connection.dialect.name == "sqlite":
        refuse_damage(connection)
        if present == head() or not is_known(present):
            refuse_misfit(connection, present)


def _upgrade(connection: Connection) -> bool:
    present = revision_of(connection)
    if present is None or is_known(present):
        try:
            if present != head():
                command.upgrade(configuration(connection), "head")
        except OperationalError as error:
            if not str(error.orig).startswith(_NOT_AS_EXPECTED):
                raise
            raise _misfit(present, str(error.orig)) from error
        if present not in (None, head()):
            # Tables that were not those of their old revision are not those of this one either.
            refuse_misfit(connection, present)
    keys.prepare(connection)
    if present not in (None, head()):
        # The planner would choose between new indexes and old ones by the counts of the old ones alone.
        analyze(connection)
    gram.prepare(connection)
    return present is None


def refuse_misfit(connection: Connection, revision: str | None) -> None:
    """Refuse tables that are not what this program declares: it would fail or lose data anywhere later.

    Raises:
        StoreMisfit: names the first difference.
    """
    if connection.dialect.name != "sqlite":
        return
    is_newer = revision is not None and not is_known(revision)
    if difference := shape.misfit(connection, is_newer=is_newer):
        raise _misfit(revision, difference)


def _misfit(revision: str | None, difference: str) -> StoreMisfit:
    return StoreMisfit(
        f"The tables of the database are not those of its revision {revision}: {difference}.",
        hint="A program made between two releases may have written it. Start that program, or restore a backup; the "
        "database was not changed.",
    )


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
