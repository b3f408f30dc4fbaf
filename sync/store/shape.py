"""Compares the tables of a database with the declared ones, as two sets of facts.

Three statements read all columns, indexes and references of SQLite, so that the check at each start takes milliseconds.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table, UniqueConstraint, text

from sync.store.tables.declare import metadata

_COLUMNS = text(
    'SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_master t'
    " JOIN pragma_table_info(t.name) c WHERE t.type = 'table'"
)
_INDEXES = text(
    'SELECT t.name, i.name, i."unique", i.partial, c.name FROM sqlite_master t'
    " JOIN pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c"
    " WHERE t.type = 'table' AND i.origin <> 'pk' ORDER BY t.name, i.name, c.seqno"
)
_REFERENCES = text(
    'SELECT t.name, r."from", r."table", r."to", r.on_delete FROM sqlite_master t'
    " JOIN pragma_foreign_key_list(t.name) r WHERE t.type = 'table'"
)

_REQUIRED, _PARTIAL = ", required", ", without tombstones"


class Fact(NamedTuple):
    """A part of a table: (table, what, name) identify it, `how` describes it."""

    table: str
    what: str
    name: str
    how: str = ""

    def __str__(self) -> str:
        """Name it for an error message."""
        return f"{self.what} {self.name} of {self.table}" if self.what != "table" else f"table {self.table}"


def misfit(connection: Connection, *, is_newer: bool) -> str | None:
    """Describe the first difference between the tables of a SQLite database and the declared ones; None if they fit.

    Undeclared parts are harmless unless they can refuse a row: a required column, a unique index, a reference.

    Args:
        connection: in any transaction.
        is_newer: the tables are of a newer revision, which declares that this program may use them.
    """
    wanted, found = declared(connection), present(connection)
    by_name = {fact[:3]: fact for fact in found}
    for fact in sorted(wanted - found, key=lambda fact: (fact.what != "table", fact)):
        there = by_name.get(fact[:3])
        return f"the {fact} is missing" if there is None else f"the {fact} is {there.how}, not {fact.how}"
    for fact in sorted(found - wanted):
        can_refuse = fact.what in ("unique", "reference") or fact.how.endswith(_REQUIRED)
        if can_refuse and not is_newer and fact.table in metadata.tables:
            return f"the {fact} is not known"
    return None


def declared(connection: Connection) -> set[Fact]:
    """List the parts of the declared tables."""
    return {fact for table in metadata.tables.values() for fact in _declared(connection, table)}


def _declared(connection: Connection, table: Table) -> list[Fact]:
    facts = [Fact(table.name, "table", "")]
    keys = [column.name for column in table.primary_key.columns]
    for column in table.columns:
        type_ = column.type.compile(connection.dialect)
        is_given = not column.nullable and column.server_default is None and column.name not in keys
        facts.append(Fact(table.name, "column", column.name, type_ + _REQUIRED * is_given))
    for part in (*table.indexes, *table.constraints):
        match part:
            case Index(unique=False):
                how = _PARTIAL * (part.dialect_options["sqlite"]["where"] is not None)
                facts.append(Fact(table.name, "index", str(part.name), ",".join(part.columns.keys()) + how))
            case Index() | UniqueConstraint():
                facts.append(Fact(table.name, "unique", ",".join(part.columns.keys())))
            case PrimaryKeyConstraint():
                facts.append(Fact(table.name, "primary key", ",".join(keys)))
            case ForeignKeyConstraint():
                for key in part.elements:
                    how = f"{key.target_fullname} {part.ondelete or 'NO ACTION'}"
                    facts.append(Fact(table.name, "reference", key.parent.name, how))
    return facts


def present(connection: Connection) -> set[Fact]:
    """List the parts of the tables in a SQLite database."""
    facts, keys = set[Fact](), dict[str, list[tuple[int, str]]]()
    for table, name, type_, is_required, default, place in connection.execute(_COLUMNS):
        is_given = is_required and default is None and not place
        facts |= {Fact(table, "table", ""), Fact(table, "column", name, type_ + _REQUIRED * is_given)}
        if place:
            keys.setdefault(table, []).append((place, name))
    facts |= {Fact(table, "primary key", ",".join(name for _, name in sorted(of))) for table, of in keys.items()}
    indexes = groupby(connection.execute(_INDEXES), itemgetter(0, 1, 2, 3))
    for (table, name, is_unique, is_partial), parts in indexes:
        columns = ",".join(part[4] for part in parts)
        facts.add(
            Fact(table, "unique", columns) if is_unique else Fact(table, "index", name, columns + _PARTIAL * is_partial)
        )
    for table, column, target, key, ondelete in connection.execute(_REFERENCES):
        facts.add(Fact(table, "reference", column, f"{target}.{key} {ondelete}"))
    return facts


def raw_shape(connection: Connection) -> list[tuple[Any, ...]]:
    """List all columns, indexes and references, defaults included, to compare two databases."""
    rows = (tuple(row) for part in (_COLUMNS, _INDEXES, _REFERENCES) for row in connection.execute(part))
    return sorted((row for row in rows if not row[0].startswith("sqlite_")), key=repr)
