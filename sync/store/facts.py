"""Facts about the database, a text by name; written in the transaction that makes each true.

COMPATIBLE is `revision oldest`: a program whose newest revision is `oldest`, or a later one, may run on the tables of
`revision`. It says nothing of any other revision, so that a migration without a word on it is compatible with none.
TEXT_FORM is the form that stored sort keys were made in.
DERIVED_BY is `form place`: the rules and facts that derived fields of assets are made by, and the last asset that has
them, or `done`.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select

from sync.store.statement.bulk import upsert_rows
from sync.store.tables import store_facts

COMPATIBLE, TEXT_FORM, DERIVED_BY = "compatible", "text form", "derived by"


def read_fact(connection: Connection, name: str) -> str | None:
    """Return a fact; None if the database does not tell."""
    if not inspect(connection).has_table(store_facts.name):
        return None
    return connection.scalar(select(store_facts.c.value).where(store_facts.c.name == name))


def write_fact(connection: Connection, name: str, value: str) -> None:
    """Write a fact over what it was."""
    upsert_rows(connection, store_facts, [{"name": name, "value": value}], key=("name",))
