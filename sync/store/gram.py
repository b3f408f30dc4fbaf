"""The index of parts of texts: which rows hold three characters in a row, so that few are compared with a pattern.

SQLite's full-text table keeps, for each three characters of a column's folded text (a gram), the keys of the rows that
hold them: a token is the column's sign and the gram. It holds no text, is filled behind the writes (sync/indexer.py)
and only ever narrows: what a changed row held before stays in it, rows that are not in it yet are taken besides, and
the comparison itself is still made. PostgreSQL has pg_trgm for this, an index on the columns that its planner finds
by itself; it needs nothing of what stands here. See docs/decisions/0008.
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
# Grams of one text that are looked up: the last few, then as many as cover the rest.
_LAST_GRAMS, _GRAMS_MAX = 4, 24
# Columns that are searched by parts, by table: a change rebuilds the index at the next start.
COLUMNS: Mapping[Table, tuple[str, ...]] = {
    assets: (
        *("name", "names", "domains", "addresses", "macs", "type", "os", "os_version", "manufacturer", "model"),
        *("serial", "tags", "comment", "criticality", "os_alternative", "hw", "mac_vendors"),
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
# The tokenizer splits at what is neither a letter nor a digit, in ASCII; everything else is part of a token.
_WHOLE = {code: 0x100 + code for code in range(128) if not chr(code).isalnum()}
_SHAPE = ",".join((*SIGNS, TEXT_FORM))
_CREATE = "CREATE VIRTUAL TABLE grams USING fts5(tokens, content='', columnsize=0, detail=none, tokenize='ascii')"
# Small pages: to find a key among those of a common gram, a page is read from its start.
_PAGE_BYTES = 500
_PLACE = (gram_marks.c.version, gram_marks.c.row_id)
grams = table("grams", *map(column, ("rowid", "grams", "rank", "tokens")))


@cache
def is_available() -> bool:
    """Tell whether this program's SQLite has full-text tables; without them searches are only slower."""
    connection = sqlite3.connect(":memory:")
    try:
        return has_full_text(connection)
    finally:
        connection.close()


def has_full_text(connection: sqlite3.Connection) -> bool:
    """Tell whether the index can be made in an empty database."""
    try:
        connection.execute(_CREATE)
    except sqlite3.DatabaseError:
        return False
    return True


def prepare(connection: Connection) -> None:
    """Make the index where it is missing, and empty it when it was filled from other columns."""
    if connection.dialect.name != "sqlite" or not is_available():
        return
    if not inspect(connection).has_table(grams.name):
        connection.execute(text(_CREATE))
        connection.execute(insert(grams).values(grams="pgsz", rank=_PAGE_BYTES))
    if connection.scalar(select(gram_marks.c.shape).where(gram_marks.c.shape != _SHAPE).limit(1)) is not None:
        connection.execute(insert(grams).values(grams="delete-all"))
        connection.execute(delete(gram_marks))


def is_own(name: str) -> bool:
    """Tell whether a table of the database belongs to the index; no migration knows those."""
    return name == "grams" or (name.startswith("grams_") and name != gram_marks.name)


def tokens_of(owner: Table, row: Mapping[str, Any]) -> str:
    """Write all tokens of a row as the index takes them; a removed row has none."""
    found: set[str] = set()
    if row["deleted_at"] is None:
        for name in COLUMNS[owner]:
            value = row[name]
            whole = "\n".join(map(str, value)) if isinstance(value, list) else value
            if whole:
                found.update(_grams(SIGNS[f"{owner.name}.{name}"], folded(str(whole))))
    return " ".join(found)


def match(of: ColumnElement[Any], parts: Iterable[str], *, are_folded: bool = False) -> str | None:
    """Write the condition "the column holds all of these", in the index's own language.

    Args:
        of: a column of a table.
        parts: texts that the column's text must hold, in any letter case.
        are_folded: they are in folded form already.

    Returns:
        None if the index cannot tell: it does not know the column, or no part has three characters.
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
    """Select the keys of the rows that may satisfy a condition: those of the index, and those not in it yet.

    Args:
        owner: the table of the rows.
        wanted: the condition, as `match` writes it.
        organization_id: whose rows are meant; the index may lead to others' as well.
        most: how many keys are wanted at most.
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
    """Select how far the index has come: all rows of the organization before (version, id) are in it."""
    mine = gram_marks.c.organization_id == organization_id
    return select(*columns).where(mine, gram_marks.c.noun == owner.name)


async def unindexed(tx: AsyncConnection, organization_id: int, owner: Table, most: int) -> list[Mapping[str, Any]]:
    """Read the first rows of an organization that are not in the index yet, in the order they were written."""
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
    """Add the tokens of some rows, by key; those that the index has of them already stay."""
    # Insert in ascending rowid order: FTS5 flushes when a rowid goes backwards.
    rows = [{"rowid": key, "tokens": tokens[key]} for key in sorted(tokens) if tokens[key]]
    if rows:
        await tx.execute(insert(grams), rows)


async def mark(tx: AsyncConnection, organization_id: int, owner: Table, version: int, row_id: int) -> None:
    """Note that all rows before (version, id) are in the index."""
    place = {"organization_id": organization_id, "noun": owner.name}
    row = {**place, "version": version, "row_id": row_id, "shape": _SHAPE}
    await tx.run_sync(upsert_rows, gram_marks, [row], key=tuple(place))
