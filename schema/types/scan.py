"""Scan records: what scans found out about an asset; an asset may have several."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy import func

from schema.field.registry import FieldKind, Record, condition, field, identifier, noun
from schema.field.resolution import computed
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.list.connection import one
from sync.store.tables import scan_records

_s = scan_records.c


@strawberry.type(description="An open port that a scan found.")
class Service:
    port: int = strawberry.field(description="The number of the port.")
    transport: str = strawberry.field(description="`tcp` or `udp`.")
    protocols: list[str] = strawberry.field(
        description="The application protocols that are spoken there, such as `http` and `tls`. See `askedAt`."
    )
    asked_at: DateTime | None = strawberry.field(
        description="When a scan asked the service for its protocols; null if they are a guess by the port's number, "
        "which never says `tls`."
    )
    protocol: str = strawberry.field(
        description="`tcp` or `udp`.",
        deprecation_reason="It is the transport, not what is spoken over it: read `transport`, or `protocols`.",
    )
    product: str | None = strawberry.field(description="What answers there: the product, else what the port is for.")
    name: str | None = strawberry.field(description="The kind of service, such as `ssh`; null if no scan told.")
    cpe: list[str] = strawberry.field(description="Names of the product in the Common Platform Enumeration.")
    checked_at: DateTime = strawberry.field(
        description="When a scan last looked at the port and found it open. A scan that did not look changes nothing."
    )


@strawberry.type(description="A guess of a host's operating system.")
class OsMatch:
    name: str = strawberry.field(description="The system, as the scanner names it.")
    accuracy: int | None = strawberry.field(description="How sure the scanner is, in percent; null if it does not say.")


@strawberry.type(description="What a script of a scanner wrote about a host or one of its ports.")
class ScriptOutput:
    script: str = strawberry.field(description="The name of the script.")
    port: int | None = strawberry.field(description="The port it looked at; null for the host as a whole.")
    protocol: str | None = strawberry.field(description="The protocol of the port.")
    output: str = strawberry.field(description="What it wrote, cut to 2,000 characters.")


@noun(
    scan_records,
    "scan",
    scope=own(scan_records),
    conditions={
        "ports": condition(_s.services, FieldKind.NUMBERS, "Its open ports.", keyword="port", element="port"),
        "tcp_ports": condition(
            _s.services,
            FieldKind.NUMBERS,
            "Its open TCP ports.",
            keyword="tcp_port",
            element="port",
            only=("protocol", "tcp"),
        ),
        "udp_ports": condition(
            _s.services,
            FieldKind.NUMBERS,
            "Its open UDP ports.",
            keyword="udp_port",
            element="port",
            only=("protocol", "udp"),
        ),
        "transports": condition(
            _s.services,
            FieldKind.LIST,
            "`tcp` or `udp`, as its open ports have it.",
            keyword="transport",
            element="protocol",
        ),
        "products": condition(
            _s.services, FieldKind.LIST, "What answers at its open ports.", keyword="product", element="product"
        ),
        "service_count": condition(func.json_array_length(_s.services), FieldKind.INT, "How many open ports it has."),
        "matched_by": condition(
            _s.match_key,
            FieldKind.TEXT,
            "What it was recognised by, as `matches` of an asset spells it.",
            keyword="match",
        ),
    },
    description="What scans found out about a host.",
)
class ScanRecord(Record):
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
    protocols: list[str] = field(
        _s.protocols,
        "The application protocols that are spoken at its open ports, such as `http`, `tls` and `ssh`.",
        keyword="protocol",
    )
    first_seen: DateTime = field(_s.first_seen, "When a scan first found it.")
    last_seen: DateTime = field(_s.last_seen, "When a scan last found it.")
    created_at: DateTime = field(_s.created_at, "When this server first wrote the record.")
    updated_at: DateTime = field(_s.updated_at, "When this server last wrote the record.")
    asset = one("Asset", "asset_id", "The asset it is a record of.", is_required=True)

    @computed("services", "last_seen", description="Its open ports.", expected=5)
    def services(stored: list[dict[str, Any]], last_seen: str) -> list[Service]:
        """Read the stored list; what earlier versions wrote was checked when the host was last seen."""
        return [
            Service(
                port=service["port"],
                transport=service["protocol"],
                protocols=service.get("protocols", []),
                asked_at=DateTime(service["askedAt"]) if "askedAt" in service else None,
                protocol=service["protocol"],
                product=service["product"],
                name=service.get("name"),
                cpe=service.get("cpe", []),
                checked_at=DateTime(service.get("checkedAt") or last_seen),
            )
            for service in stored
        ]

    @computed("detail", description="What its operating system may be, the likeliest first.", expected=5)
    def os_matches(stored: dict[str, Any] | None) -> list[OsMatch]:
        """Read the stored list."""
        return [OsMatch(**match) for match in (stored or {}).get("osMatches", ())]

    @computed("detail", description="Names of its system in the Common Platform Enumeration.")
    def cpe(stored: dict[str, Any] | None) -> list[str]:
        """Read the stored list."""
        return list((stored or {}).get("cpe", ()))

    @computed("detail", description="What scripts of the scanner wrote about it.", expected=5)
    def scripts(stored: dict[str, Any] | None) -> list[ScriptOutput]:
        """Read the stored list."""
        return [ScriptOutput(**script) for script in (stored or {}).get("scripts", ())]
