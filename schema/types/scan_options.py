"""The options of a scan task, as the task shows them."""

from __future__ import annotations

from typing import Any

import strawberry

from schema.field.enums import described
from sync.scan import options

Scanner = described(
    options.ScannerName,
    "Scanner",
    "Which engine scans.",
    EMBEDDED="Built in: TCP connections and the neighbour table; tells services by their ports.",
    NMAP="nmap, where it is installed on the server; asks services and systems what they are.",
)


@strawberry.type(description="What the Azure AD probe of a scan does.")
class AzureAdProbe:
    enabled: bool = strawberry.field(description="Whether it runs after the hosts were found.")
    exclude_unknown: bool = strawberry.field(
        description="Whether devices are left out that no asset known from another source matches."
    )
    include_inactive: bool = strawberry.field(description="Whether disabled devices become assets too.")


@strawberry.type(description="What a scan asks others about the hosts it has found.")
class ScanProbes:
    azure_ad: AzureAdProbe = strawberry.field(description="Reads Microsoft Entra ID as a connector does.")


@strawberry.type(description="What a scan task looks at, and how.")
class ScanOptions:
    targets: list[str] = strawberry.field(description="Addresses, networks, ranges and host names.")
    excludes: list[str] = strawberry.field(description="What is left out of them.")
    ports: str | None = strawberry.field(description="The TCP ports to try; null: the usual ones.")
    rate: int = strawberry.field(description="Connections, or packets, a second at most.")
    scanner: Scanner | None = strawberry.field(  # type: ignore[valid-type]
        description="The engine it asks for; null: nmap where it is installed."
    )
    probes: ScanProbes = strawberry.field(description="What runs after the hosts were found.")


def shown(stored: dict[str, Any] | None, exclude_unknown: bool, include_inactive: bool) -> ScanOptions | None:
    """Spell out the stored options; a connector has none."""
    if stored is None:
        return None
    probe = AzureAdProbe(enabled=stored["azure_ad"], exclude_unknown=exclude_unknown, include_inactive=include_inactive)
    return ScanOptions(
        targets=stored["targets"],
        excludes=stored["excludes"],
        ports=stored["ports"],
        rate=stored["rate"],
        scanner=Scanner[stored["scanner"]] if stored["scanner"] else None,
        probes=ScanProbes(azure_ad=probe),
    )
