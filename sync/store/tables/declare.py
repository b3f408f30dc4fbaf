"""How tables are declared: the names of constraints, keys that are never reused, stamps, rows of a directory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, MetaData, Table, Text, text

from sync.store.tables.column import Key, Time, key, key_of, lower, refers, with_keys

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def entity(name: str, *columns: Any, **options: Any) -> Table:
    """Declare a table whose ids callers see; SQLite never reuses them."""
    return Table(name, metadata, key(), *with_keys(columns), sqlite_autoincrement=True, **options)


def stamps() -> tuple[Column[Any], Column[Any]]:
    """Make the columns of the row's creation and last change, by this server's clock."""
    return Column("created_at", Time, nullable=False), Column("updated_at", Time, nullable=False)


def created_version() -> Column[Any]:
    """Make the column of the version that created the row: it tells readers of changes which rows are new."""
    return Column("created_version", Key, nullable=False, server_default=text("0"))


def synced(name: str, *columns: Any) -> Table:
    """Declare the table of one kind of directory object; its key is the object's.

    A deleted row stays as a tombstone, with `deleted_at` and the kind of `deletion` (SOFT, GONE, VANISHED): a restored
    object gets its row and its edges back, and readers of changes learn of the removal.
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


def live_index(table: Table, names: str) -> None:
    """Index the rows that are no tombstones by one or two columns: for frequent sorts, filters and counts.

    The index contains `deleted_at`, before the value: otherwise SQLite reads each row to check it. A text follows its
    sort key: ties are in order too, and rows of one key are compared inside the index.
    """
    columns = names.split()
    if (sort_key := key_of(table.c[columns[0]])) is not None:
        columns = [sort_key.name, *columns[1:], columns[0]]
    of = (table.c[name] for name in ("organization_id", "deleted_at", *columns))
    live = table.c.deleted_at.is_(None)
    Index(f"ix_{table.name}_live_{names.replace(' ', '_')}", *of, sqlite_where=live, postgresql_where=live)
