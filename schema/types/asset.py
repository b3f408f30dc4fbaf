"""Assets: machines, each seen through the records that one or more sources have of it."""

from __future__ import annotations

import strawberry

from schema.field.received import received_attributes
from schema.field.registry import FieldKind, Record, condition, field, identifier, noun
from schema.field.relations import (
    devices_of_asset,
    from_assets,
    into_assets,
    matches_of_asset,
    received_of_asset,
    scans_of_asset,
    there_from_assets,
)
from schema.field.resolution import Rows, computed, gathered
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.field.transitive import groups_of_assets
from schema.list.connection import every, many, one
from sync.inventory.asset import source as sources
from sync.inventory.directory.kind import USER, Edge
from sync.store.tables import assets

_a = assets.c
_SOURCES = "The sources that have a record of it: `azuread` (a device of the directory), `scan` (found on the network)."


@strawberry.type(description="Why a record was taken to belong to an asset.")
class Match:
    source: str = strawberry.field(description="The source of the record.")
    key: str = strawberry.field(
        description="What it was recognised by: `deviceId`, `name`, `mac`, `address`; `manual` if a person put it "
        "there; `new` if nothing matched."
    )
    value: str | None = strawberry.field(
        description="The value both had in common; `merge` or `split` where a person decided."
    )
    matched_at: DateTime = strawberry.field(description="When the record was matched.")


@noun(
    assets,
    "asset",
    scope=own(assets),
    conditions={
        "sources": condition(_a.source_mask, FieldKind.SOURCES, _SOURCES, keyword="source"),
    },
    description="A machine, seen through the records that one or more sources have of it.",
)
class Asset(Record):
    id: strawberry.ID = identifier()
    name: str | None = field(_a.name, "The name of the most recently seen record.", keyword="latest_name")
    names: list[str] = field(_a.names, "All names it is known by.", keyword="name", aliases=("hostname",), text=True)
    domains: list[str] = field(_a.domains, "The domains of its names.", keyword="domain")
    addresses: list[str] = field(
        _a.addresses, "Its IP addresses.", kind=FieldKind.ADDRESSES, keyword="address", aliases=("ip",), text=True
    )
    macs: list[str] = field(_a.macs, "Its MAC addresses.", keyword="mac", text=True)
    mac_vendors: list[str] = field(
        _a.mac_vendors, "Who made its network cards, by their MAC addresses.", keyword="mac_vendor"
    )
    multi_home: bool = field(
        _a.multi_home, "Whether it has addresses in more than one network: a /24 of IPv4, or a /64 of IPv6."
    )
    type: str | None = field(
        _a.type, "The type of machine, such as Server, Laptop or Mobile, derived from what its sources tell."
    )
    type_reason: str | None = field(_a.type_reason, "What the type was derived from, such as `model Latitude 5430`.")
    os: str | None = field(
        _a.os,
        "The operating system, derived: maker, product and release, such as `Microsoft Windows 11 23H2`. "
        "What was received is in `azureAd` and `scan`.",
        text=True,
    )
    os_vendor: str | None = field(_a.os_vendor, "The maker of the operating system.", keyword="os.vendor")
    os_product: str | None = field(
        _a.os_product, "The operating system without maker and release, such as `Windows 11`.", keyword="os.product"
    )
    os_alternative: str | None = field(
        _a.os_alternative,
        "The operating system that it may be as well, where nothing tells which of two it is.",
        text=True,
    )
    os_reason: str | None = field(_a.os_reason, "What the operating system was derived from, and why there are two.")
    os_version: str | None = field(_a.os_version, "The version of the operating system.", kind=FieldKind.VERSION)
    os_eol: DateTime | None = field(_a.os_eol, "When support for the operating system ends, or has ended, if known.")
    os_eol_extended: DateTime | None = field(
        _a.os_eol_extended, "When extended support ends that costs nothing more; null where there is none."
    )
    os_eol_is_earliest: bool = field(
        _a.os_eol_is_earliest,
        "Whether `osEol` is the earliest of several dates, because no source tells the edition or the product.",
    )
    hw: str | None = field(
        _a.hw, "The hardware, derived: maker and model, such as `Dell OptiPlex 7010`.", aliases=("hardware",)
    )
    manufacturer: str | None = field(_a.manufacturer, "The manufacturer.", aliases=("vendor", "hw.vendor"))
    model: str | None = field(_a.model, "The model.", aliases=("hw.product",), text=True)
    serial: str | None = field(_a.serial, "The serial number.", aliases=("serial_number",), text=True)
    alive: bool | None = field(
        _a.alive, "Whether it answered the last scan; null if it was never scanned.", aliases=("online",)
    )
    scanned: bool = field(_a.scanned, "Whether a scan has ever seen it; false for what only a directory knows.")
    source_count: int = field(_a.source_count, "How many sources have a record of it.")
    service_count: int = field(_a.service_count, "How many ports scans found open, each counted once.")
    tcp_count: int = field(
        _a.tcp_count, "How many TCP ports scans found open, each counted once.", aliases=("service_count_tcp",)
    )
    udp_count: int = field(
        _a.udp_count, "How many UDP ports scans found open, each counted once.", aliases=("service_count_udp",)
    )
    service_has_public: bool = field(
        _a.service_has_public,
        "Whether a scan found a port open on a machine that has a public IP address.",
        aliases=("service.has_public",),
    )
    products: list[str] = field(
        _a.products,
        "The products that scans found at its open ports, such as `nginx`.",
        keyword="product",
        aliases=("service.product",),
        text=True,
    )
    comment: str | None = field(_a.comment, "A person's comment.")
    criticality: str | None = field(_a.criticality, "How much it matters, as a person judged it.")
    tags: list[str] = field(_a.tags, "Tags that people gave it.", keyword="tag")
    first_seen: DateTime | None = field(_a.first_seen, "When a source first knew it.")
    last_seen: DateTime | None = field(
        _a.last_seen, 'When a source last saw it active; what is stale was seen `olderThan: "90d"`.'
    )
    created_at: DateTime = field(_a.created_at, "When this server made the asset.")
    updated_at: DateTime = field(
        _a.updated_at,
        'When this server last changed it, or made it; what changed since yesterday is `newerThan: "1d"`.',
    )
    site = one("Site", "site_id", "The site it lives in.", is_required=True)
    organization = one("Organization", "organization_id", "The organization it belongs to.", is_required=True)
    owners = many(
        "User",
        "The users that own its device, as the directory says; `otherOwners` are those that are no user here, and "
        "conditions ask both.",
        lambda: from_assets(Edge.DEVICE_OWNER),
        others=("other_owners", lambda: there_from_assets(Edge.DEVICE_OWNER, (USER,))),
    )
    other_owners = many(
        "DirectoryObject",
        "The owners of its device that are no user here, such as service principals.",
        lambda: from_assets(Edge.DEVICE_OWNER),
    )
    registered_users = many(
        "User",
        "The users its device is registered to; `otherRegisteredUsers` are those that are no user here, and conditions "
        "ask both.",
        lambda: from_assets(Edge.DEVICE_USER),
        others=("other_registered_users", lambda: there_from_assets(Edge.DEVICE_USER, (USER,))),
    )
    other_registered_users = many(
        "DirectoryObject",
        "What its device is registered to and is no user here, such as a user that could not be read.",
        lambda: from_assets(Edge.DEVICE_USER),
    )
    groups = many(
        "Group", "The groups its device is a member of.", lambda: into_assets(Edge.MEMBER), transitive=groups_of_assets
    )

    azure_ad = every(
        "AzureAdDevice",
        "Its records in Azure AD: several if they were recognised as one machine.",
        devices_of_asset,
        expected=2,
        source=(sources.AZUREAD, "dev"),
    )
    scan = every(
        "ScanRecord",
        "What scans found out about it: several if it was found in several ways.",
        scans_of_asset,
        expected=2,
        source=(sources.SCAN, "dev"),
    )

    @computed("source_mask", description=_SOURCES)
    def sources(mask: int) -> list[str]:
        """Spell out the stored mask."""
        return sources.names(mask)

    @gathered(matches_of_asset, description="Why its records were taken to be one machine.", expected=4)
    def matches(rows: Rows) -> list[Match]:
        """Read the stored matches."""
        return [Match(**{name: row[name] for name in ("source", "key", "value", "matched_at")}) for row in rows]

    attributes = received_attributes(received_of_asset, expected=4)
