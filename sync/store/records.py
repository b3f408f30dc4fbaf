"""What belongs to assets besides their own rows: what they are recognised by, why, and what scans found.

Declared here because sync/store/tables.py, which shows them, is long; import them from there.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text, false, text

from sync.store.column import Json, Key, Time, refers
from sync.store.declare import entity, metadata, stamps

# What an asset can be recognised by, inside its site: kind (NAME, MAC, ADDRESS), value in the form it is compared in.
asset_keys = Table(
    "asset_keys",
    metadata,
    refers("site_id", "sites"),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("asset_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("site_id", "kind", "value", "asset_id"),
    Index(None, "asset_id"),
    sqlite_with_rowid=False,
)

# By what devices can be recognised or told apart, inside their site, as `Identity.keys` writes it: of every device that
# is wanted, also of one without an asset. Which devices have a key decides what the key tells.
device_keys = Table(
    "device_keys",
    metadata,
    refers("site_id", "sites"),
    Column("key", Text, nullable=False),
    Column("device_id", Key, ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("site_id", "key", "device_id"),
    Index(None, "device_id"),
    sqlite_with_rowid=False,
)

# Why a record belongs to an asset: by which key and value it was recognised, and when.
matches = entity(
    "matches",
    Column("asset_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    Column("object_id", Key, ForeignKey("objects.id"), nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text),
    Column("matched_at", Time, nullable=False),
    # A person merged or split the asset: the record stays with it, whatever it says of itself.
    Column("is_pinned", Boolean, nullable=False, server_default=false()),
    Index(None, "asset_id"),
)

# Assets that a person split: no report calls them duplicates again. The smaller id stands first.
kept_apart = Table(
    "kept_apart",
    metadata,
    Column("asset_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    Column("other_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("asset_id", "other_id"),
    sqlite_with_rowid=False,
)

# What scans found out about a host; several records of one asset are several ways it was found.
scan_records = entity(
    "scan_records",
    refers("organization_id", "organizations"),
    refers("site_id", "sites"),
    Column("asset_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    Column("names", Json, nullable=False),
    Column("addresses", Json, nullable=False),
    Column("macs", Json, nullable=False),
    Column("type", Text),
    Column("os", Text),
    Column("os_version", Text),
    Column("manufacturer", Text),
    Column("model", Text),
    Column("serial", Text),
    Column("alive", Boolean, nullable=False),
    # How it was found, such as TCP or ARP.
    Column("detected_by", Text),
    # Open ports: port, protocol, product, name, cpe, and checkedAt, when a scan last found it open.
    Column("services", Json, nullable=False),
    Column("first_seen", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("match_key", Text, nullable=False, server_default=text("'new'")),
    Column("match_value", Text),
    # {id of a set of ports: when it was last looked at}: what an older report says of them no longer counts.
    Column("looked", Json),
    # When it did not answer, if that was after it was last seen.
    Column("silent_at", Time),
    # {osMatches, cpe, scripts}: what else a scan told.
    Column("detail", Json),
    *stamps(),
    Index(None, "asset_id"),
)

# Ports that scans looked at, [[protocol, first, last], ...], by their digest: most hosts share a few such sets.
port_sets = Table(
    "port_sets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ranges", Json, nullable=False),
)
