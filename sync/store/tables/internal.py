"""Facts about the database, and the progress of its trigram index."""

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

# Progress of the trigram index (gram.py): all rows of an organization's table before (version, id) are indexed. `shape`
# names the columns that it was filled from.
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
