"""One Entra tenant seen from one site: its streams, its objects, the edges between them, and what was received.

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

# One Entra tenant seen from one site. The options, and the rules (match.py), are those its devices were last linked by.
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
    # {kind: properties} that its cloud does not know, so that they are not asked for.
    Column("left_out", Json),
    *stamps(),
    UniqueConstraint("site_id", "source", "cloud", "tenant_id"),
)

# Where a stream of a directory stands. `link` is opaque and only ever sent back to the Graph origin.
cursors = Table(
    "cursors",
    metadata,
    refers("directory_id", "directories"),
    Column("stream", Text, nullable=False),
    Column("link", Text, nullable=False),
    # True: a delta link, the round is complete. False: a next link inside a round.
    Column("complete", Boolean, nullable=False),
    # True while the round reads everything, so that its end may sweep what it did not see.
    Column("full_round", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("page_number", Integer, nullable=False),
    Column("query_hash", Text, nullable=False),
    # True while a full round follows a round of changes at once: what it finds different, no change had told of.
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
    # As the directory told it where it named the object as the end of an edge; what has a row has a name of its own.
    Column("display_name", Text),
    UniqueConstraint("directory_id", "external_id"),
)

raw = Table(
    "raw",
    metadata,
    Column("object_id", Key, ForeignKey("objects.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("item", Json, nullable=False),
)

# One row an edge between two objects of a directory; either end may be unknown or gone, then the edge is not shown.
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
