"""How tables are declared: the names of constraints, keys that are never reused, stamps, rows of a directory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, MetaData, Table, Text, text

from sync.store.column import Key, Time, key, lower, refers, with_keys

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def entity(name: str, *columns: Any, **options: Any) -> Table:
    """Declare a table whose ids go out to callers and are therefore never reused."""
    return Table(name, metadata, key(), *with_keys(columns), sqlite_autoincrement=True, **options)


def stamps() -> tuple[Column[Any], Column[Any]]:
    """When the row was made and last changed, by our own clock."""
    return Column("created_at", Time, nullable=False), Column("updated_at", Time, nullable=False)


def created_version() -> Column[Any]:
    """The organization's version that made the row; those who pull changes tell new rows from changed ones by it."""
    return Column("created_version", Key, nullable=False, server_default=text("0"))


def synced(name: str, *columns: Any) -> Table:
    """Declare the table of one kind of directory object; its key is the object's.

    A deleted row stays, with `deleted_at` and how it went (`deletion`: SOFT, GONE, VANISHED), as its own tombstone:
    a restored object gets its row and its edges back, and those who pull changes learn of the removal.
    """
    return Table(
        name,
        metadata,
        Column("id", Key, ForeignKey("objects.id"), primary_key=True, autoincrement=False),
        refers("organization_id", "organizations"),
        refers("site_id", "sites"),
        refers("directory_id", "directories"),
        Column("source", Text, nullable=False),
        lower("external_id"),
        *with_keys(columns),
        Column("content_hash", LargeBinary, nullable=False),
        Column("version", Key, nullable=False),
        created_version(),
        Column("deleted_at", Time),
        Column("deletion", Text),
        *stamps(),
        Index(None, "organization_id", "version"),
    )
