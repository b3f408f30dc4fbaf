"""Statements for many rows: compiled once for each table and run by the driver's executemany.

SQLAlchemy's own path for many rows costs twice the time that SQLite takes to write them. Here SQLAlchemy Core compiles
the SQL for the connection's dialect, and the parameters go to the driver directly. A JSON column takes a value, or the
bytes of JSON text. Sort keys are written together with their texts; callers do not pass them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import JSON, Connection, Dialect, Table, bindparam, delete, func, or_, select, update
from sqlalchemy import column as sql_column
from sqlalchemy import insert as insert_into
from sqlalchemy import table as sql_table
from sqlalchemy.dialects import postgresql, sqlite

from sync.store.tables.column import KEY_OF, KEYED, keyed_names

Row = Mapping[str, Any]
Rows = Sequence[Row]
Names = tuple[str, ...]
# Prefix of bound parameters: SQLAlchemy requires names that differ from those of the columns.
_MARK = "v_"
_SEQUENCES = sql_table("sqlite_sequence", sql_column("name"), sql_column("seq"))


def insert_rows(tx: Connection, table: Table, rows: Rows) -> int:
    """Insert rows, all with the same columns, and return their number."""
    return _run(tx, rows, _insert, table)


def insert_missing(tx: Connection, table: Table, rows: Rows) -> int:
    """Insert the rows whose primary key does not exist yet and return the number of inserted rows."""
    return _run(tx, rows, _insert_missing, table)


def upsert_rows(tx: Connection, table: Table, rows: Rows, *, key: Names, keep: Names = ()) -> int:
    """Insert rows, or update the rows of the same `key`, except for the columns to `keep`."""
    return _run(tx, rows, _upsert, table, key, keep)


def update_rows(tx: Connection, table: Table, rows: Rows, *, key: Names = ("id",)) -> int:
    """Find rows by `key`, set their other columns if one differs, and return the number of changed rows."""
    return _run(tx, rows, _update, table, key)


def delete_rows(tx: Connection, table: Table, rows: Rows) -> int:
    """Delete the rows that have these values and return their number."""
    return _run(tx, rows, _delete, table)


def reserve_keys(tx: Connection, table: Table, number: int) -> Sequence[int]:
    """Reserve ascending keys for rows that this transaction will insert; no key is ever reused.

    Args:
        table: a table with generated keys (declare.entity).
    """
    if not number:
        return ()
    if tx.dialect.name == "sqlite":
        # This transaction is the only writer, and inserting a row with a key advances the sequence.
        used = tx.scalar(select(_SEQUENCES.c.seq).where(_SEQUENCES.c.name == table.name)) or 0
        return range(used + 1, used + 1 + number)
    sequence = func.pg_get_serial_sequence(table.name, "id")
    numbers = func.generate_series(1, number).table_valued("number")
    return tx.scalars(select(func.nextval(sequence)).select_from(numbers)).all()


def _run(tx: Connection, rows: Rows, build: Callable[..., Any], table: Table, *more: Names) -> int:
    if not rows:
        return 0
    sql, prepare = _compiled(tx.dialect, build, table, tuple(rows[0]), *more)
    return tx.exec_driver_sql(sql, prepare(rows)).rowcount


@lru_cache(maxsize=256)
def _compiled(
    dialect: Dialect, build: Callable[..., Any], table: Table, names: Names, *more: Names
) -> tuple[str, Callable[[Rows], Any]]:
    """Return a statement's SQL, and the function that turns rows into its driver's parameters."""
    keys = {key: text for key, text in keyed_names(table).items() if text in names and build is not _delete}
    compiled = build(dialect, table, (*names, *keys), *more).compile(dialect=dialect)
    how: dict[str, Callable[[Any], Any]] = {key: table.c[text].info[KEYED] for key, text in keys.items()}
    how |= {name: _json_text for name in names if isinstance(table.c[name].type, JSON)}
    if not compiled.positional:
        whole = [(_MARK + name, keys.get(name, name), how.get(name, _as_it_is)) for name in (*names, *keys)]
        return str(compiled), lambda rows: [{mark: write(row[name]) for mark, name, write in whole} for row in rows]
    order = [name.removeprefix(_MARK) for name in compiled.positiontup]
    read = [keys.get(name, name) for name in order]
    places = [(place, how[name]) for place, name in enumerate(order) if name in how]
    # itemgetter returns no tuple for a single name.
    pick = itemgetter(*read) if len(read) > 1 else lambda row: (row[read[0]],)
    if not places:
        return str(compiled), lambda rows: list(map(pick, rows))

    def written(row: Row) -> tuple[Any, ...]:
        values = list(pick(row))
        for place, write in places:
            values[place] = write(values[place])
        return tuple(values)

    return str(compiled), lambda rows: list(map(written, rows))


def _as_it_is(value: Any) -> Any:
    return value


def _json_text(value: Any) -> str | None:
    if value is None:
        return None
    return (value if type(value) is bytes else orjson.dumps(value)).decode()


def _values(names: Names) -> dict[str, Any]:
    return {name: bindparam(_MARK + name) for name in names}


def _insert(_dialect: Dialect, table: Table, names: Names) -> Any:
    return insert_into(table).values(_values(names))


def _insert_missing(dialect: Dialect, table: Table, names: Names) -> Any:
    return _conflicting(dialect, table, names).on_conflict_do_nothing()


def _upsert(dialect: Dialect, table: Table, names: Names, key: Names, keep: Names) -> Any:
    statement = _conflicting(dialect, table, names)
    fresh = {name: statement.excluded[name] for name in names if name not in (*key, *keep)}
    return statement.on_conflict_do_update(index_elements=key, set_=fresh)


def _conflicting(dialect: Dialect, table: Table, names: Names) -> Any:
    words = postgresql if dialect.name == "postgresql" else sqlite
    return words.insert(table).values(_values(names))


def _update(_dialect: Dialect, table: Table, names: Names, key: Names) -> Any:
    values = _values(names)
    mine = [table.c[name] == values.pop(name) for name in key]
    # A key differs only if its text does.
    told = {name: value for name, value in values.items() if KEY_OF not in table.c[name].info}
    differs = or_(*(table.c[name].is_distinct_from(value) for name, value in told.items()))
    return update(table).where(*mine, differs).values(values)


def _delete(_dialect: Dialect, table: Table, names: Names) -> Any:
    return delete(table).where(*(table.c[name] == value for name, value in _values(names).items()))
