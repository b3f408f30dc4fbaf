"""Integrity checks of a database by SQLite, and the refusal of a damaged one; repairs nothing."""

from __future__ import annotations

from sqlalchemy import Connection, text

from sync.errors import StoreUnreadable

# Larger databases are not checked at each start: a cold disk takes seconds to read this much.
CHECKED_BYTES_MAX = 512 * 1024 * 1024
DAMAGED = "The database file is damaged or is not a Rollcall database."
DAMAGED_HINT = "Restore a backup (`rollcall restore`), or move the file away to start afresh. It was not changed."


def faults(connection: Connection, *, full: bool) -> list[str]:
    """List at most five faults that SQLite finds; empty if it finds none.

    Args:
        connection: in a read transaction.
        full: also compare indexes with their tables and follow references, which takes longer.
    """
    # Run the quick check first: the full one aborts at pages that the quick one names.
    for check in ("PRAGMA quick_check(5)", "PRAGMA integrity_check(5)")[: 1 + full]:
        found = [str(row[0]) for row in connection.execute(text(check))]
        if found != ["ok"]:
            return found
    dangling = connection.execute(text("PRAGMA foreign_key_check")).first() if full else None
    return [] if dangling is None else [f"a row of {dangling[0]} refers to a missing row of {dangling[2]}"]


def refuse_damage(connection: Connection) -> None:
    """Refuse a damaged database; one larger than CHECKED_BYTES_MAX is not checked.

    Raises:
        StoreUnreadable: it is damaged.
    """
    pages = connection.scalar(text("PRAGMA page_count")) or 0
    page_bytes = connection.scalar(text("PRAGMA page_size")) or 0
    if int(pages) * int(page_bytes) <= CHECKED_BYTES_MAX and faults(connection, full=False):
        raise StoreUnreadable(DAMAGED, hint=DAMAGED_HINT)
