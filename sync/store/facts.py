"""Facts about the database: texts by name, each written in the transaction that makes it true.

COMPATIBLE is `revision oldest`: a program whose newest revision is `oldest` or later may run on the tables of
`revision`. It does not apply to any other revision: a migration that does not write it is compatible with no older
program. TEXT_FORM is the form of the stored sort keys.
DERIVED_BY is `form place`: the rules and tables that derived the fields of assets, and the last asset that has them,
or `done`.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select

from sync.store.statement.bulk import upsert_rows
from sync.store.tables import store_facts

COMPATIBLE, TEXT_FORM, DERIVED_BY = "compatible", "text form", "derived by"


def read_fact(connection: Connection, name: str) -> str | None:
    """Return a fact; None if the database does not have it."""
    if not inspect(connection).has_table(store_facts.name):
        return None
    return connection.scalar(select(store_facts.c.value).where(store_facts.c.name == name))


def write_fact(connection: Connection, name: str, value: str) -> None:
    """Insert or replace a fact."""
    upsert_rows(connection, store_facts, [{"name": name, "value": value}], key=("name",))
