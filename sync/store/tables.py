"""Every table, declared once for SQLite and PostgreSQL alike.

Integers are the keys inside; ids given to callers are made from them in schema/. Rows of an organization carry its
id, so that a query never needs a join to stay inside it. Wide rows stay lean: the JSON received from Graph lies in
`raw`. Objects of a directory (users, groups, devices) share one key space, `objects`, so that an edge can point at
an object that was not read yet, or is never read (contacts, service principals).
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sync.store.alerts import deliveries as deliveries
from sync.store.alerts import webhooks as webhooks
from sync.store.callers import audit_events as audit_events
from sync.store.callers import idempotency_keys as idempotency_keys
from sync.store.callers import tokens as tokens
from sync.store.column import HOLDS, KEYED, LOWER, OBJECT, OBJECTS, Json, Key, Time, graph, key_of, lower, refers
from sync.store.declare import created_version, entity, stamps, synced
from sync.store.declare import metadata as metadata
from sync.store.function import sort_key, version_key
from sync.store.places import scan_marks as scan_marks
from sync.store.places import sites as sites
from sync.store.records import asset_keys as asset_keys
from sync.store.records import device_keys as device_keys
from sync.store.records import kept_apart as kept_apart
from sync.store.records import matches as matches
from sync.store.records import port_sets as port_sets
from sync.store.records import scan_records as scan_records
from sync.store.work import run_log as run_log
from sync.store.work import runs as runs
from sync.store.work import tasks as tasks

organizations = entity(
    "organizations",
    Column("name", Text, nullable=False, unique=True),
    # Bumped by every transaction that changes this organization's inventory; rows carry the value that wrote them.
    Column("version", Key, nullable=False, server_default=text("0")),
    # Tombstones up to this version are gone: who has read less than that has to read everything again.
    Column("purged_version", Key, nullable=False, server_default=text("0")),
    # Days to keep things, by the names in sync/inventory/retention.py; what is missing is kept for good.
    Column("retention", Json),
    *stamps(),
)

# --- credentials -------------------------------------------------------------------------------------------------

credentials = entity(
    "credentials",
    refers("organization_id", "organizations"),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cloud", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("username", Text),
    Column("subscription_id", Text),
    Column("all_subscriptions", Boolean, nullable=False),
    Column("is_global", Boolean, nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("secret_set_at", Time, nullable=False),
    Column("secret_expires_at", Time),
    Column("last_used_at", Time),
    Column("last_verified_at", Time),
    Column("last_verification", Json),
    Column("created_by", Text),
    *stamps(),
    UniqueConstraint("organization_id", "name"),
)

# The root of derived keys, sealed at the first start: opening it proves the key before anything else runs.
vault_proof = Table(
    "vault_proof",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)

# The organizations besides its own that may use a credential.
credential_access = Table(
    "credential_access",
    metadata,
    Column("credential_id", Key, ForeignKey("credentials.id", ondelete="CASCADE"), nullable=False),
    Column("organization_id", Key, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("credential_id", "organization_id"),
)

# --- a directory and its objects ---------------------------------------------------------------------------------

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


devices = synced(
    "devices",
    refers("asset_id", "assets", nullable=True),
    Column("skipped", Text),  # why the device has no asset: INACTIVE, UNKNOWN
    graph("accountEnabled", Boolean()),
    graph("alternativeSecurityIds", Json, info={HOLDS: OBJECTS}),
    graph("approximateLastSignInDateTime", Time),
    graph("complianceExpirationDateTime", Time),
    graph("createdDateTime", Time),
    graph("deviceCategory"),
    graph("deviceId", info={LOWER: True}),
    graph("deviceMetadata"),
    graph("deviceOwnership"),
    graph("deviceVersion", Integer()),
    graph("displayName"),
    graph("enrollmentProfileName"),
    graph("enrollmentType"),
    graph("extensionAttributes", Json, info={HOLDS: OBJECT}),
    graph("isCompliant", Boolean()),
    graph("isManaged", Boolean()),
    graph("isManagementRestricted", Boolean()),
    graph("isRooted", Boolean()),
    graph("managementType"),
    graph("manufacturer"),
    graph("mdmAppId"),
    graph("model"),
    graph("onPremisesLastSyncDateTime", Time),
    graph("onPremisesSecurityIdentifier"),
    graph("onPremisesSyncEnabled", Boolean()),
    graph("operatingSystem"),
    graph("operatingSystemVersion", info={KEYED: version_key}),
    graph("physicalIds", Json),
    graph("profileType"),
    graph("registrationDateTime", Time),
    graph("systemLabels", Json),
    graph("trustType"),
)
Index("ix_devices_asset_id", devices.c.asset_id)
Index("ix_devices_site_id_device_id", devices.c.site_id, devices.c.device_id)

users = synced(
    "users",
    graph("accountEnabled", Boolean()),
    graph("ageGroup"),
    graph("businessPhones", Json),
    graph("city"),
    graph("companyName"),
    graph("consentProvidedForMinor"),
    graph("country"),
    graph("createdDateTime", Time),
    graph("creationType"),
    graph("department"),
    graph("displayName", info={KEYED: sort_key}),
    graph("employeeHireDate", Time),
    graph("employeeId"),
    graph("employeeType"),
    graph("externalUserState"),
    graph("externalUserStateChangeDateTime", Time),
    graph("faxNumber"),
    graph("givenName"),
    graph("imAddresses", Json),
    graph("isManagementRestricted", Boolean()),
    graph("isResourceAccount", Boolean()),
    graph("jobTitle"),
    graph("lastPasswordChangeDateTime", Time),
    graph("legalAgeGroupClassification"),
    graph("mail"),
    graph("mailNickname"),
    graph("mobilePhone"),
    graph("officeLocation"),
    graph("onPremisesDistinguishedName"),
    graph("onPremisesDomainName"),
    graph("onPremisesImmutableId"),
    graph("onPremisesLastSyncDateTime", Time),
    graph("onPremisesSamAccountName"),
    graph("onPremisesSecurityIdentifier"),
    graph("onPremisesSyncEnabled", Boolean()),
    graph("onPremisesUserPrincipalName"),
    graph("otherMails", Json),
    graph("passwordPolicies"),
    graph("postalCode"),
    graph("preferredDataLocation"),
    graph("preferredLanguage"),
    graph("proxyAddresses", Json),
    graph("securityIdentifier"),
    graph("signInSessionsValidFromDateTime", Time),
    graph("state"),
    graph("streetAddress"),
    graph("surname"),
    graph("usageLocation"),
    graph("userPrincipalName", info={KEYED: sort_key}),
    graph("userType"),
)

groups = synced(
    "groups",
    Column("kind", Text, nullable=False),
    Column("is_dynamic", Boolean, nullable=False),
    # False when membership is hidden from the app: no members then means unknown, not none.
    Column("membership_known", Boolean, nullable=False),
    graph("classification"),
    graph("createdDateTime", Time),
    graph("description"),
    graph("displayName", info={KEYED: sort_key}),
    graph("expirationDateTime", Time),
    graph("groupTypes", Json),
    graph("isAssignableToRole", Boolean()),
    graph("isManagementRestricted", Boolean()),
    graph("mail"),
    graph("mailEnabled", Boolean()),
    graph("mailNickname"),
    graph("membershipRule"),
    graph("membershipRuleProcessingState"),
    graph("onPremisesDomainName"),
    graph("onPremisesLastSyncDateTime", Time),
    graph("onPremisesNetBiosName"),
    graph("onPremisesSamAccountName"),
    graph("onPremisesSecurityIdentifier"),
    graph("onPremisesSyncEnabled", Boolean()),
    graph("preferredDataLocation"),
    graph("preferredLanguage"),
    graph("proxyAddresses", Json),
    graph("renewedDateTime", Time),
    graph("resourceBehaviorOptions", Json),
    graph("resourceProvisioningOptions", Json),
    graph("securityEnabled", Boolean()),
    graph("securityIdentifier"),
    graph("theme"),
    graph("uniqueName"),
    graph("visibility"),
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

# --- assets ------------------------------------------------------------------------------------------------------

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
    Column("manufacturer", Text),
    Column("model", Text),
    Column("serial", Text, info={KEYED: sort_key}),
    Column("alive", Boolean),
    Column("scanned", Boolean, nullable=False),
    # A bit a source (sync/inventory/source.py): which kinds of record this asset has.
    Column("source_mask", Integer, nullable=False),
    Column("source_count", Integer, nullable=False),
    Column("first_seen", Time),
    Column("last_seen", Time),
    Column("tags", Json, nullable=False),
    Column("comment", Text),
    Column("criticality", Text),
    Column("version", Key, nullable=False),
    created_version(),
    Column("deleted_at", Time),
    *stamps(),
    Index(None, "organization_id", "version"),
)

# What lists are sorted, filtered and counted by most, and what rows are looked up by, without tombstones; the ids give
# the default order. That a row is none stands in the index too, before the value: else SQLite reads the row to see it.
# A text stands behind its sort key, so that the ties are in order too, and that an equal key is compared in the index.
for _table, _name in (
    *((assets, name) for name in ("id", "name", "os", "last_seen", "serial", "type", "source_mask", "os last_seen")),
    *((table, name) for table in (users, groups) for name in ("id", "display_name", "external_id")),
    *((users, name) for name in ("user_principal_name", "account_enabled")),
    (devices, "id"),
):
    _live = _table.c.deleted_at.is_(None)
    _keys = _name.split()
    if (_key := key_of(_table.c[_keys[0]])) is not None:
        _keys = [_key.name, *_keys[1:], _keys[0]]
    _of = (_table.c[name] for name in ("organization_id", "deleted_at", *_keys))
    Index(f"ix_{_table.name}_live_{_name.replace(' ', '_')}", *_of, sqlite_where=_live, postgresql_where=_live)

# Lists in the order of both; the one above is for counts of the systems that were not seen for long.
Index(
    "ix_assets_live_os_then_last_seen",
    *(assets.c[name] for name in ("organization_id", "deleted_at", "os_key", "os", "last_seen")),
    sqlite_where=assets.c.deleted_at.is_(None),
    postgresql_where=assets.c.deleted_at.is_(None),
)

# What the database says of itself (facts.py).
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
