"""Assets, the keys that identify them, and the reasons why records belong to them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text, false, text

from sync.store.statement.function import sort_key, version_key
from sync.store.tables.column import KEYED, Json, Key, Time, refers
from sync.store.tables.declare import created_version, entity, live_index, metadata, stamps

assets = entity(
    "assets",
    refers("organization_id", "organizations"),
    refers("site_id", "sites"),
    Column("name", Text, info={KEYED: sort_key}),
    Column("names", Json, nullable=False),
    Column("domains", Json, nullable=False),
    Column("addresses", Json, nullable=False),
    Column("macs", Json, nullable=False),
    Column("type", Text, info={KEYED: sort_key}),
    Column("os", Text, info={KEYED: sort_key}),
    Column("os_version", Text, info={KEYED: version_key}),
    # What was derived from the records, `type` and `os` as well: see sync/inventory/fingerprint/.
    Column("os_vendor", Text),
    Column("os_product", Text),
    # The second candidate, where nothing tells which of two it is.
    Column("os_alternative", Text),
    Column("os_reason", Text),
    Column("os_eol", Time),
    Column("os_eol_extended", Time),
    Column("os_eol_is_earliest", Boolean, nullable=False, server_default=false()),
    Column("hw", Text),
    Column("type_reason", Text),
    Column("mac_vendors", Json, nullable=False, server_default=text("'[]'")),
    Column("multi_home", Boolean, nullable=False, server_default=false()),
    Column("manufacturer", Text),
    Column("model", Text),
    Column("serial", Text, info={KEYED: sort_key}),
    Column("alive", Boolean),
    Column("scanned", Boolean, nullable=False),
    # One bit a source (sync/inventory/asset/source.py): the kinds of records that the asset has.
    Column("source_mask", Integer, nullable=False),
    Column("source_count", Integer, nullable=False),
    Column("first_seen", Time),
    Column("last_seen", Time),
    Column("tags", Json, nullable=False),
    Column("comment", Text),
    Column("criticality", Text),
    # Open ports, each counted once, and whether one is open at a public address.
    Column("service_count", Integer, nullable=False, server_default=text("0")),
    Column("tcp_count", Integer, nullable=False, server_default=text("0")),
    Column("udp_count", Integer, nullable=False, server_default=text("0")),
    Column("service_has_public", Boolean, nullable=False, server_default=false()),
    # The distinct products that answer at its open ports, sorted.
    Column("products", Json, nullable=False, server_default=text("'[]'")),
    Column("version", Key, nullable=False),
    created_version(),
    Column("deleted_at", Time),
    *stamps(),
    Index(None, "organization_id", "version"),
)

for _name in ("id", "name", "os", "last_seen", "serial", "type", "source_mask", "os last_seen"):
    live_index(assets, _name)

# For lists sorted by both columns; the "os last_seen" index above is for counts of systems not seen for long.
Index(
    "ix_assets_live_os_then_last_seen",
    *(assets.c[name] for name in ("organization_id", "deleted_at", "os_key", "os", "last_seen")),
    sqlite_where=assets.c.deleted_at.is_(None),
    postgresql_where=assets.c.deleted_at.is_(None),
)

# Keys of an asset inside its site: kind (NAME, MAC, ADDRESS), and the value in the form that is compared.
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

# Keys that identify devices or tell them apart inside their site, as `Identity.keys` writes them. Every wanted device
# has rows here, even without an asset: how many devices share a key decides whether it identifies one.
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

# Why a record belongs to an asset: the key and value that matched, and when.
matches = entity(
    "matches",
    Column("asset_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    Column("object_id", Key, ForeignKey("objects.id"), nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text),
    Column("matched_at", Time, nullable=False),
    # A person merged or split the asset: the record stays with it, whatever its keys are.
    Column("is_pinned", Boolean, nullable=False, server_default=false()),
    Index(None, "asset_id"),
)

# Assets that a person split: they are not reported as duplicates again. `asset_id` is the smaller id.
kept_apart = Table(
    "kept_apart",
    metadata,
    Column("asset_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    Column("other_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("asset_id", "other_id"),
    sqlite_with_rowid=False,
)
