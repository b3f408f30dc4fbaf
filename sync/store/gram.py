"""The trigram index: narrows a substring search to candidate rows, which are then compared with the pattern.

A full-text table of SQLite maps each three characters of a column's folded text (a gram) to the keys of the rows that
contain them. A token is the column's sign followed by the gram. The table stores no text and is filled after the writes
(sync/indexer.py). It only yields candidates: grams of a row's earlier text stay in it, rows not indexed yet are added
to the candidates, and every candidate is still compared. PostgreSQL needs none of this: its planner uses pg_trgm
indexes by itself. See docs/decisions/0008.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    column,
    delete,
    func,
    insert,
    inspect,
    literal_column,
    or_,
    select,
    table,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.store.statement.bulk import upsert_rows
from sync.store.statement.function import TEXT_FORM, folded
from sync.store.tables import assets, devices, gram_marks, groups, users

GRAM_CHARS = 3
# A lookup uses a text's last few grams, then every third one before them, which together cover the text.
_LAST_GRAMS, _GRAMS_MAX = 4, 24
# The indexed columns of each table: a change rebuilds the index at the next start.
COLUMNS: Mapping[Table, tuple[str, ...]] = {
    assets: (
        *("name", "names", "domains", "addresses", "macs", "type", "os", "os_version", "manufacturer", "model"),
        *("serial", "tags", "comment", "criticality", "os_alternative", "hw", "mac_vendors", "products"),
    ),
    users: (
        *("display_name", "user_principal_name", "mail", "given_name", "surname", "job_title", "department"),
        *("company_name", "employee_id", "office_location", "city", "mail_nickname", "mobile_phone"),
        *("business_phones", "other_mails", "proxy_addresses", "on_premises_sam_account_name"),
    ),
    groups: ("display_name", "mail", "mail_nickname", "description", "proxy_addresses", "on_premises_sam_account_name"),
    devices: ("display_name", "operating_system", "manufacturer", "model"),
}
SIGNS: Mapping[str, str] = {
    f"{owner.name}.{name}": chr(0x200 + number)
    for number, (owner, name) in enumerate((owner, name) for owner, names in COLUMNS.items() for name in names)
}
# The tokenizer splits at ASCII characters that are neither letters nor digits: move these out of ASCII.
_WHOLE = {code: 0x100 + code for code in range(128) if not chr(code).isalnum()}
_SHAPE = ",".join((*SIGNS, TEXT_FORM))
_CREATE = "CREATE VIRTUAL TABLE grams USING fts5(tokens, content='', columnsize=0, detail=none, tokenize='ascii')"
# Small pages: SQLite finds a key of a common gram by reading a page from its start.
_PAGE_BYTES = 500
_PLACE = (gram_marks.c.version, gram_marks.c.row_id)
grams = table("grams", *map(column, ("rowid", "grams", "rank", "tokens")))


@cache
def is_available() -> bool:
    """Tell whether this process's SQLite has full-text tables; without them searches are only slower."""
    connection = sqlite3.connect(":memory:")
    try:
        return has_full_text(connection)
    finally:
        connection.close()


def has_full_text(connection: sqlite3.Connection) -> bool:
    """Try to create the index in an empty database."""
    try:
        connection.execute(_CREATE)
    except sqlite3.DatabaseError:
        return False
    return True


def prepare(connection: Connection) -> None:
    """Create the index if it is missing; empty it if it was filled from other columns or another text form."""
    if connection.dialect.name != "sqlite" or not is_available():
        return
    if not inspect(connection).has_table(grams.name):
        connection.execute(text(_CREATE))
        connection.execute(insert(grams).values(grams="pgsz", rank=_PAGE_BYTES))
    if connection.scalar(select(gram_marks.c.shape).where(gram_marks.c.shape != _SHAPE).limit(1)) is not None:
        connection.execute(insert(grams).values(grams="delete-all"))
        connection.execute(delete(gram_marks))


def is_own(name: str) -> bool:
    """Tell whether a table of the database belongs to the index; migrations do not declare these tables."""
    return name == "grams" or (name.startswith("grams_") and name != gram_marks.name)


def tokens_of(owner: Table, row: Mapping[str, Any]) -> str:
    """Return all tokens of a row, separated by blanks; none for a tombstone."""
    found: set[str] = set()
    if row["deleted_at"] is None:
        for name in COLUMNS[owner]:
            value = row[name]
            whole = "\n".join(map(str, value)) if isinstance(value, list) else value
            if whole:
                found.update(_grams(SIGNS[f"{owner.name}.{name}"], folded(str(whole))))
    return " ".join(found)


def match(of: ColumnElement[Any], parts: Iterable[str], *, are_folded: bool = False) -> str | None:
    """Return the FTS5 query for "the column contains all of these parts".

    Args:
        of: a column of a table.
        parts: texts that the column's text must contain, in any letter case.
        are_folded: the parts are folded already.

    Returns:
        None if the index cannot answer: the column is not indexed, or no part has three characters.
    """
    sign = SIGNS.get(str(of))
    if sign is None or not is_available():
        return None
    wanted: list[str] = []
    for part in parts:
        found = _grams(sign, part if are_folded else folded(part))[::-1]
        wanted += [*found[:_LAST_GRAMS], *found[_LAST_GRAMS::GRAM_CHARS], *found[-1:]]
    return " AND ".join(f'"{token}"' for token in dict.fromkeys(wanted[:_GRAMS_MAX])) or None


def _grams(sign: str, whole: str) -> list[str]:
    """List the grams of a folded text, each as a token."""
    whole = whole.translate(_WHOLE)
    return [sign + whole[start : start + GRAM_CHARS] for start in range(len(whole) - GRAM_CHARS + 1)]


def candidates(owner: Table, wanted: str, organization_id: Any, most: int | None) -> Select[Any]:
    """Select the keys of the rows that may match: those the index finds, and those it does not cover yet.

    Args:
        owner: the table of the rows.
        wanted: the query that `match` returned.
        organization_id: limits the unindexed rows; the indexed ones may belong to other organizations.
        most: the limit of keys.
    """
    indexed = select(grams.c.rowid.label("id")).where(literal_column("grams").op("MATCH")(wanted))
    version, row_id = (func.coalesce(_mark(owner, organization_id, part).scalar_subquery(), 0) for part in _PLACE)
    fresh = select(owner.c.id).where(
        owner.c.organization_id == organization_id,
        owner.c.version >= version,
        or_(owner.c.version > version, owner.c.id >= row_id),
    )
    return indexed.union_all(fresh).limit(most)  # type: ignore[return-value]


def _mark(owner: Table, organization_id: Any, *columns: ColumnElement[Any]) -> Select[Any]:
    """Select the organization's position in the index: all its rows before (version, id) are indexed."""
    mine = gram_marks.c.organization_id == organization_id
    return select(*columns).where(mine, gram_marks.c.noun == owner.name)


async def unindexed(tx: AsyncConnection, organization_id: int, owner: Table, most: int) -> list[Mapping[str, Any]]:
    """Read an organization's first rows that are not indexed yet, in the order of (version, id)."""
    names = ("id", "version", "deleted_at", *COLUMNS[owner])
    mark = (await tx.execute(_mark(owner, organization_id, *_PLACE))).first()
    here = tuple_(owner.c.version, owner.c.id) >= tuple_(*(mark or (0, 0)))
    statement = (
        select(*(owner.c[name] for name in names))
        .where(owner.c.organization_id == organization_id, here)
        .order_by(owner.c.version, owner.c.id)
        .limit(most)
    )
    return [dict(row) for row in (await tx.execute(statement)).mappings()]


async def add(tx: AsyncConnection, tokens: Mapping[int, str]) -> None:
    """Add tokens of rows, by row key; tokens of their earlier texts stay."""
    # Insert in ascending rowid order: FTS5 flushes when a rowid goes backwards.
    rows = [{"rowid": key, "tokens": tokens[key]} for key in sorted(tokens) if tokens[key]]
    if rows:
        await tx.execute(insert(grams), rows)


async def mark(tx: AsyncConnection, organization_id: int, owner: Table, version: int, row_id: int) -> None:
    """Note that all rows before (version, id) are indexed."""
    place = {"organization_id": organization_id, "noun": owner.name}
    row = {**place, "version": version, "row_id": row_id, "shape": _SHAPE}
    await tx.run_sync(upsert_rows, gram_marks, [row], key=tuple(place))
