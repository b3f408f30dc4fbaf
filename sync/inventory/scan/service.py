"""The open ports of a host, joined from several scans: what each says counts from when it looked, and no further.

The join has no order: scans may come late, twice or shuffled. A port is open if a scan found it so and no later one,
which looked at it, did not. What a scan did not look at stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.inventory.scan.port_set import PortSet

LOOKED_MAX = 8
"""Sets of ports that are remembered of a host, each with when it was last looked at; the oldest are forgotten."""
Stored = dict[str, Any]
Looked = dict[PortSet, str]


@dataclass(frozen=True, order=True)
class Service:
    """An open port.

    Args:
        port: its number.
        protocol: of transport, such as `tcp` or `udp`.
        product: what answers there; else what the port is for.
        name: what kind of service it is, such as `ssh`.
        cpe: names of the product in the Common Platform Enumeration.
        protocols: the application protocols that are spoken there, sorted.
        is_asked: whether the scan asked the service for them; else they are a guess by the number of the port.
    """

    port: int
    protocol: str
    product: str = ""
    name: str = ""
    cpe: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    is_asked: bool = False

    def stored(self, at: str) -> Stored:
        """Return it as it is stored: as open at a time."""
        said = {"product": self.product or None, "name": self.name or None, "checkedAt": at}
        more: Stored = {"cpe": list(self.cpe)} if self.cpe else {}
        if self.protocols:
            more |= {"protocols": list(self.protocols)} | ({"askedAt": at} if self.is_asked else {})
        return {"port": self.port, "protocol": self.protocol, **said, **more}


def stored_services(services: Iterable[Stored], last_seen: str) -> list[Stored]:
    """Return stored services with when each was checked, which earlier versions of this program did not write."""
    return [{"name": None, **service, "checkedAt": service.get("checkedAt") or last_seen} for service in services]


def join(services: Iterable[Stored], looked: Iterable[Looked]) -> tuple[list[Stored], Looked]:
    """Join what scans found open with what they looked at, and return what is open and what was looked at when."""
    latest: Looked = {}
    for one in looked:
        for ports, at in one.items():
            latest[ports] = max(at, latest.get(ports, at))
    found: dict[tuple[int, str], Stored] = {}
    for service in services:
        key = service["port"], service["protocol"]
        found[key] = _joined(found[key], service) if key in found else service
    left = [found[key] for key in sorted(found) if not _is_closed(found[key], latest)]
    kept = sorted(((at, ports.digest, ports) for ports, at in latest.items() if ports.is_whole), reverse=True)
    return left, {ports: at for at, _, ports in kept[:LOOKED_MAX]}


def _is_closed(service: Stored, looked: Mapping[PortSet, str]) -> bool:
    protocol, port, at = service["protocol"], service["port"], service["checkedAt"]
    return any(later > at and ports.holds(protocol, port) for ports, later in looked.items())


def _joined(one: Stored, other: Stored) -> Stored:
    """Let the later of two speak; the earlier adds what the later one did not ask the same service."""
    earlier, later = sorted((one, other), key=_order)
    joined = {name: value for name, value in later.items() if name not in _SPOKEN} | _spoken(one, other)
    asked = later["product"] and later["product"] != later["name"]
    if asked or later["name"] != earlier["name"] or not earlier["product"]:
        return joined
    return {**joined, **{name: earlier[name] for name in ("product", "cpe") if name in earlier}}


_SPOKEN = ("protocols", "askedAt")


def _spoken(one: Stored, other: Stored) -> Stored:
    """Take the protocols from the latest scan that asked for them; without any, all that were guessed.

    What scans of the same moment say is true together: a scanner may write a line for each protocol.
    """
    telling = [service for service in (one, other) if service.get("protocols")]
    last = max((service.get("askedAt", "") for service in telling), default="")
    kept = (service["protocols"] for service in telling if service.get("askedAt", "") == last)
    found = sorted({protocol for protocols in kept for protocol in protocols})
    return ({"protocols": found} if found else {}) | ({"askedAt": last} if last else {})


def _order(service: Stored) -> tuple[Any, ...]:
    is_asked = bool(service["product"] and service["product"] != service["name"])
    return service["checkedAt"], is_asked, service["product"] or "", service["name"] or "", service.get("cpe", [])


def as_looked(stored: Mapping[str, str] | None, known: Mapping[str, PortSet]) -> Looked:
    """Read what was looked at from its stored form, digest → when."""
    return {known[digest]: at for digest, at in (stored or {}).items() if digest in known}


def digests(looked: Sequence[Looked]) -> dict[str, PortSet]:
    """Return all sets of ports by their digest."""
    return {ports.digest: ports for one in looked for ports in one}
