"""The fields of an asset that describe its services: their number, their products, whether one has a public address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sync.store.statement.function import in_networks

# The same networks as those of the keyword `has_public`.
PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8",
    "224.0.0.0/3", "fc00::/7", "fe80::/10", "ff00::/8", "::/127",
)  # fmt: skip
_PRIVATE = " ".join(PRIVATE)


def service_fields(scans: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe the open ports of scan records; a port that several records have counts once."""
    serving = [scan for scan in scans if scan["services"]]
    services = [service for scan in serving for service in scan["services"]]
    ports = {(service["protocol"], service["port"]) for service in services}
    count = Counter(transport for transport, _ in ports)
    return {
        "service_count": len(ports),
        "tcp_count": count["tcp"],
        "udp_count": count["udp"],
        "service_has_public": any(
            in_networks(address, _PRIVATE) is False for scan in serving for address in scan["addresses"]
        ),
        "products": sorted({service["product"] for service in services if service["product"]}),
    }
