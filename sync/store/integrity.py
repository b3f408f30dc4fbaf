"""Whether a database is whole: what SQLite finds wrong with it, and the refusal that follows; repairs nothing."""

from __future__ import annotations

from sqlalchemy import Connection, text

from sync.errors import StoreUnreadable

# Larger databases are not checked at each start: a cold disk needs some seconds for so much.
CHECKED_BYTES_MAX = 512 * 1024 * 1024
DAMAGED = "The database file is damaged or is not a Rollcall database."
DAMAGED_HINT = "It was left as it is: restore a backup (`rollcall restore`), or move it away to start afresh."


def faults(connection: Connection, *, full: bool) -> list[str]:
    """List at most five things that SQLite finds wrong; empty when it finds nothing.

    Args:
        connection: in a read transaction.
        full: compares indexes with their tables and follows references, too, which takes longer.
    """
    # The full check gives up at pages that the quick one names.
    for check in ("PRAGMA quick_check(5)", "PRAGMA integrity_check(5)")[: 1 + full]:
        found = [str(row[0]) for row in connection.execute(text(check))]
        if found != ["ok"]:
            return found
    dangling = connection.execute(text("PRAGMA foreign_key_check")).first() if full else None
    return [] if dangling is None else [f"a row of {dangling[0]} refers to one of {dangling[2]} that is not there"]


def refuse_damage(connection: Connection) -> None:
    """Refuse a database that is not whole, unless it is too large to look through at each start.

    Raises:
        StoreUnreadable: it is damaged.
    """
    pages = connection.scalar(text("PRAGMA page_count")) or 0
    page_bytes = connection.scalar(text("PRAGMA page_size")) or 0
    if int(pages) * int(page_bytes) <= CHECKED_BYTES_MAX and faults(connection, full=False):
        raise StoreUnreadable(DAMAGED, hint=DAMAGED_HINT)
