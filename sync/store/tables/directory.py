"""Directories: their streams, their objects, the edges between objects, and the JSON received from Graph.

Users, groups and devices share one key space, `objects`, so that an edge can point at an object that was not read yet,
or is never read (contacts, service principals).
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sync.store.tables.column import Json, Key, Time, lower, refers
from sync.store.tables.declare import entity, metadata, stamps

# An Entra tenant as one site syncs it. The options, and the rules (match.py), are those of the last linking of devices.
directories = entity(
    "directories",
    refers("organization_id", "organizations"),
    refers("site_id", "sites"),
    Column("source", Text, nullable=False),
    Column("cloud", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("exclude_unknown", Boolean),
    Column("include_inactive", Boolean),
    Column("link_rules", Integer, nullable=False, server_default=text("0")),
    # {kind: properties} that its cloud does not have; requests leave them out.
    Column("left_out", Json),
    *stamps(),
    UniqueConstraint("site_id", "source", "cloud", "tenant_id"),
)

# The position of a directory's stream. `link` is opaque; it is sent back to the Graph origin and nowhere else.
cursors = Table(
    "cursors",
    metadata,
    refers("directory_id", "directories"),
    Column("stream", Text, nullable=False),
    Column("link", Text, nullable=False),
    # True: a delta link, the round is complete. False: a next link inside a round.
    Column("complete", Boolean, nullable=False),
    # True while the round reads everything: its end then sweeps the objects that it did not see.
    Column("full_round", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("page_number", Integer, nullable=False),
    Column("query_hash", Text, nullable=False),
    # True while a full round directly follows a round of changes: a difference it finds was missing from the changes.
    Column("checks", Boolean, nullable=False, server_default=text("0")),
    # When the stream's last full round was complete.
    Column("full_at", Time),
    Column("updated_at", Time, nullable=False),
    PrimaryKeyConstraint("directory_id", "stream"),
)

objects = entity(
    "objects",
    refers("directory_id", "directories"),
    lower("external_id"),
    Column("kind", Text),
    # The full round that saw the object last.
    Column("generation", Integer, nullable=False),
    # The name that the directory gave with an edge, for objects without a row in users, groups or devices.
    Column("display_name", Text),
    UniqueConstraint("directory_id", "external_id"),
)

raw = Table(
    "raw",
    metadata,
    Column("object_id", Key, ForeignKey("objects.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("item", Json, nullable=False),
)

# An edge between two objects of a directory; an edge with an unknown or deleted end is not shown.
edges = Table(
    "edges",
    metadata,
    Column("kind", SmallInteger, nullable=False),
    Column("from_id", Key, nullable=False),
    Column("to_id", Key, nullable=False),
    Column("generation", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "from_id", "to_id"),
    Index("ix_edges_reverse", "kind", "to_id", "from_id"),
    sqlite_with_rowid=False,
)
