"""Joins the open ports of a host from several scans.

Scans may arrive late, twice or in any order; the result is the same. A port is open if a scan found it open and no
later scan that checked it found it closed. Ports that a scan did not check stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.inventory.scan.port_set import PortSet

LOOKED_MAX = 8
"""The most sets of checked ports to keep of a host, each with the time of its last check; the oldest are dropped."""
Stored = dict[str, Any]
Looked = dict[PortSet, str]


@dataclass(frozen=True, order=True)
class Service:
    """An open port.

    Args:
        port: the number.
        protocol: the transport, such as `tcp` or `udp`.
        product: the product that answers; else the usual service of the port.
        name: the kind of service, such as `ssh`.
        cpe: names of the product in the Common Platform Enumeration.
        protocols: its application protocols, sorted.
        is_asked: whether the scan detected them; else they are guessed by the port's number.
    """

    port: int
    protocol: str
    product: str = ""
    name: str = ""
    cpe: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    is_asked: bool = False

    def stored(self, at: str) -> Stored:
        """Return the stored form, open at a time."""
        said = {"product": self.product or None, "name": self.name or None, "checkedAt": at}
        more: Stored = {"cpe": list(self.cpe)} if self.cpe else {}
        if self.protocols:
            more |= {"protocols": list(self.protocols)} | ({"askedAt": at} if self.is_asked else {})
        return {"port": self.port, "protocol": self.protocol, **said, **more}


def stored_services(services: Iterable[Stored], last_seen: str) -> list[Stored]:
    """Add the time of the last check to stored services that lack it: earlier versions did not write it."""
    return [{"name": None, **service, "checkedAt": service.get("checkedAt") or last_seen} for service in services]


def join(services: Iterable[Stored], looked: Iterable[Looked]) -> tuple[list[Stored], Looked]:
    """Join open ports and checked ports of several scans.

    Returns:
        The ports that are open, and each set of checked ports with the time of its last check.
    """
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
    """Join two entries of one port: the later one decides, but keeps the earlier product if it did not detect one."""
    earlier, later = sorted((one, other), key=_order)
    joined = {name: value for name, value in later.items() if name not in _SPOKEN} | _spoken(one, other)
    asked = later["product"] and later["product"] != later["name"]
    if asked or later["name"] != earlier["name"] or not earlier["product"]:
        return joined
    return {**joined, **{name: earlier[name] for name in ("product", "cpe") if name in earlier}}


_SPOKEN = ("protocols", "askedAt")


def _spoken(one: Stored, other: Stored) -> Stored:
    """Take the protocols of the latest scan that detected them; if none did, take all guesses.

    Protocols of the same time are united: a scanner may write a line for each protocol.
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
    """Read checked ports from the stored form, digest → time of the last check."""
    return {known[digest]: at for digest, at in (stored or {}).items() if digest in known}


def digests(looked: Sequence[Looked]) -> dict[str, PortSet]:
    """Return all sets of ports by their digest."""
    return {ports.digest: ports for one in looked for ports in one}
