"""What scans found out about an asset; several records may belong to one."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy import func

from schema.connection import one
from schema.expected import about
from schema.fields import Kind, Record, condition, field, identifier, noun
from schema.scalars import DateTime
from schema.scope import own
from sync.store.tables import scan_records

_s = scan_records.c


@strawberry.type(description="An open port that a scan found.")
class Service:
    """An open port."""

    port: int = strawberry.field(description="The number of the port.")
    protocol: str = strawberry.field(description="`tcp` or `udp`.")
    product: str | None = strawberry.field(description="What answers there: the product, else what the port is for.")


@noun(
    scan_records,
    "scan",
    scope=own(scan_records),
    conditions={
        "ports": condition(_s.services, Kind.NUMBERS, "Its open ports.", keyword="port", element="port"),
        "tcp_ports": condition(
            _s.services,
            Kind.NUMBERS,
            "Its open TCP ports.",
            keyword="tcp_port",
            element="port",
            only=("protocol", "tcp"),
        ),
        "udp_ports": condition(
            _s.services,
            Kind.NUMBERS,
            "Its open UDP ports.",
            keyword="udp_port",
            element="port",
            only=("protocol", "udp"),
        ),
        "protocols": condition(
            _s.services, Kind.LIST, "`tcp` or `udp`, as its open ports have it.", keyword="protocol", element="protocol"
        ),
        "products": condition(
            _s.services, Kind.LIST, "What answers at its open ports.", keyword="product", element="product"
        ),
        "service_count": condition(func.json_array_length(_s.services), Kind.INT, "How many open ports it has."),
        "matched_by": condition(
            _s.match_key, Kind.TEXT, "What it was recognised by, as `matches` of an asset spells it.", keyword="match"
        ),
    },
    description="What scans found out about a host.",
)
class ScanRecord(Record):
    """A scan record."""

    id: strawberry.ID = identifier()
    names: list[str] = field(_s.names, "Its host names.")
    addresses: list[str] = field(_s.addresses, "Its IP addresses when it was last scanned.")
    macs: list[str] = field(_s.macs, "Its MAC addresses.")
    type: str | None = field(_s.type, "The type of machine, if the scan could tell.")
    os: str | None = field(_s.os, "The operating system.")
    os_version: str | None = field(_s.os_version, "The version of the operating system.")
    manufacturer: str | None = field(_s.manufacturer, "The manufacturer, read from the MAC address or a service.")
    model: str | None = field(_s.model, "The model.")
    serial: str | None = field(_s.serial, "The serial number.")
    alive: bool = field(_s.alive, "Whether it answered the last scan.")
    detected_by: str | None = field(_s.detected_by, "How it was found, such as TCP or ARP.")
    first_seen: DateTime = field(_s.first_seen, "When a scan first found it.")
    last_seen: DateTime = field(_s.last_seen, "When a scan last found it.")
    created_at: DateTime = field(_s.created_at, "When this server first wrote the record.")
    updated_at: DateTime = field(_s.updated_at, "When this server last wrote the record.")
    asset = one("Asset", "asset_id", "The asset it is a record of.", is_required=True)

    @strawberry.field(description="Its open ports.", metadata=about(5))
    def services(self) -> list[Service]:
        """Read the stored list."""
        stored: list[dict[str, Any]] = self.services
        return [Service(**service) for service in stored]
