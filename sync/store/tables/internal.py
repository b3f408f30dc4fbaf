"""Facts about the database, and how far its indexes have come."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text

from sync.store.tables.column import Key, refers
from sync.store.tables.declare import metadata

# Facts about the database itself (sync/store/facts.py).
store_facts = Table(
    "store_facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# How far the index of parts of texts (gram.py) has come with an organization's rows of a table: all that stand before
# (version, id) are in it. `shape` names the columns it was filled from.
gram_marks = Table(
    "gram_marks",
    metadata,
    refers("organization_id", "organizations"),
    Column("noun", Text, nullable=False),
    Column("version", Key, nullable=False),
    Column("row_id", Key, nullable=False),
    Column("shape", Text, nullable=False),
    PrimaryKeyConstraint("organization_id", "noun"),
)
