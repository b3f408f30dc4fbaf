"""Stored sort keys: made anew when the program's form of them is another than that of the database."""

from __future__ import annotations

from sqlalchemy import Connection, update

from sync.store.facts import TEXT_FORM as FACT
from sync.store.facts import read_fact, write_fact
from sync.store.statement.function import TEXT_FORM
from sync.store.statement.text import made_key
from sync.store.tables.column import keyed_names
from sync.store.tables.declare import metadata


def prepare(connection: Connection) -> None:
    """Make every stored key anew if they are of another form: a newer Python knows more letters, for one."""
    if connection.dialect.name == "sqlite" and read_fact(connection, FACT) != TEXT_FORM:
        remake(connection)
        write_fact(connection, FACT, TEXT_FORM)


def remake(connection: Connection) -> None:
    """Rewrite the rows whose key is not what their text makes, in the caller's transaction."""
    for table in metadata.sorted_tables:
        for key, text in keyed_names(table).items():
            made = made_key(table.c[text])
            connection.execute(update(table).where(table.c[key].is_distinct_from(made)).values({key: made}))
