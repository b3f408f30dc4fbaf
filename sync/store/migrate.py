"""Upgrades a database to this program's schema in one transaction: a failure leaves the old schema."""

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

# Starts of SQLite's messages when the tables are not those that a migration expects.
_NOT_AS_EXPECTED = ("no such ", "duplicate column", "table ", "index ")


async def migrate(store: Store) -> bool:
    """Create or upgrade the schema.

    Returns:
        True if the database was empty, that is, this is its first start.

    Raises:
        StoreNewer: a newer program wrote it, and does not declare that this one may use it; nothing was changed.
        StoreMisfit: its tables do not match its revision; nothing was changed.
        StoreUnreadable: the file is damaged, or contains another program's tables.
    """
    # Check with the reader first: the writer would turn the file into a WAL database, even one it must not touch.
    async with store.read() as connection:
        await connection.run_sync(_look)
    async with store.write() as connection:
        return await connection.run_sync(_upgrade)


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database that this program may use; None for an empty one.

    An unknown revision is a newer program's. Its database may declare that older programs can use it.

    Raises:
        StoreNewer: a newer program wrote it, and does not declare that this one may use it.
        StoreUnreadable: it contains another program's tables.
    """
    present = MigrationContext.configure(connection).get_current_revision()
    if present is None and inspect(connection).get_table_names():
        raise StoreUnreadable(
            "The database file belongs to another program.",
            hint="Choose another data directory. The file was not changed.",
        )
    if present is not None and not is_known(present) and not _is_compatible(connection, present):
        raise StoreNewer(
            hint="Start the version of Rollcall that wrote it, or a later one; or restore a backup from before the "
            "upgrade. The database was not changed."
        )
    return present


def is_known(revision: str) -> bool:
    """Tell whether this program has a revision."""
    return revision in {known.revision for known in _script().walk_revisions()}


def _is_compatible(connection: Connection, present: str) -> bool:
    """Tell whether a newer revision declares that this program may use its tables."""
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
            # If the tables did not match their old revision, they do not match this one either.
            refuse_misfit(connection, present)
    keys.prepare(connection)
    if present not in (None, head()):
        # New indexes have no statistics yet: without them the planner prefers old indexes.
        analyze(connection)
    gram.prepare(connection)
    return present is None


def refuse_misfit(connection: Connection, revision: str | None) -> None:
    """Refuse tables that differ from the declared ones: the program would fail or lose data later.

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
        f"The tables of the database do not match its revision {revision}: {difference}.",
        hint="An unreleased version of Rollcall may have written it. Start that version, or restore a backup. The "
        "database was not changed.",
    )


def head() -> str | None:
    """Return this program's newest revision."""
    return _script().get_current_head()


@cache
def _script() -> ScriptDirectory:
    """Return the revisions; cached, because reading them is the slowest part of opening a database."""
    return ScriptDirectory.from_config(_location())


def _location() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def configuration(connection: Connection) -> Config:
    """Return Alembic's configuration for a connection whose transaction is already open."""
    config = _location()
    config.attributes["connection"] = connection
    return config


def differences(connection: Connection) -> list[object]:
    """List the differences between the database's tables and the declared ones, as Alembic finds them."""

    def is_declared(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name is None or not gram.is_own(name)

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_declared})
    return list(compare_metadata(context, metadata))
