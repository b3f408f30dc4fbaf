"""Rewrites the stored sort keys when their form in the database is not this program's form."""

from __future__ import annotations

from sqlalchemy import Connection, update

from sync.store.facts import TEXT_FORM as FACT
from sync.store.facts import read_fact, write_fact
from sync.store.statement.function import TEXT_FORM
from sync.store.statement.text import made_key
from sync.store.tables.column import keyed_names
from sync.store.tables.declare import metadata


def prepare(connection: Connection) -> None:
    """Rewrite the stored keys if they have another form, for example because a newer Python knows more letters."""
    if connection.dialect.name == "sqlite" and read_fact(connection, FACT) != TEXT_FORM:
        remake(connection)
        write_fact(connection, FACT, TEXT_FORM)


def remake(connection: Connection) -> None:
    """Rewrite the keys that do not match their text, in the caller's transaction."""
    for table in metadata.sorted_tables:
        for key, text in keyed_names(table).items():
            made = made_key(table.c[text])
            connection.execute(update(table).where(table.c[key].is_distinct_from(made)).values({key: made}))
