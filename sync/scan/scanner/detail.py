"""Adds to a scanner's hosts what this machine knows: their names and, on its own networks, their MAC addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sync.inventory.asset.host_name import name_key
from sync.inventory.scan.record import Host
from sync.scan.scanner.name import NameOf, names_of

SHARED_MAX = 8
"""A name or MAC address that more addresses share identifies no machine: it is that of a pool, a proxy or a router."""


async def with_details(hosts: Sequence[Host], look_up: NameOf, neighbours: Mapping[str, str]) -> list[Host]:
    """Add names and MAC addresses to hosts that lack them."""
    found = await names_of([host.addresses[0] for host in hosts if not host.names], look_up)
    names, macs = _telling(found), _telling(neighbours)
    common = {address: name for address, name in found.items() if address not in names}
    return [_with(host, names, common, macs) for host in hosts]


def without_shared(hosts: Sequence[Host]) -> list[Host]:
    """Remove from hosts the names and MAC addresses that more than `SHARED_MAX` share; keep such names in `common`.

    Args:
        hosts: all hosts that are written together.
    """
    bearers: dict[str, set[tuple[str, ...]]] = {}
    for host in hosts:
        for text in {key for name in host.names if (key := name_key(name))} | {*host.macs}:
            bearers.setdefault(text, set()).add(host.addresses)
    shared = {text for text, mine in bearers.items() if len(mine) > SHARED_MAX}
    if not shared:
        return [*hosts]
    return [
        replace(
            host,
            names=tuple(name for name in host.names if name_key(name) not in shared),
            macs=tuple(mac for mac in host.macs if mac not in shared),
            common=(*host.common, *(name for name in host.names if name_key(name) in shared)),
        )
        for host in hosts
    ]


def _telling(found: Mapping[str, str]) -> dict[str, str]:
    shared = Counter(found.values())
    return {address: text for address, text in found.items() if shared[text] <= SHARED_MAX}


def _with(host: Host, names: Mapping[str, str], common: Mapping[str, str], macs: Mapping[str, str]) -> Host:
    own = [macs[address] for address in host.addresses if address in macs]
    name, shared = (told.get(host.addresses[0]) for told in (names, common))
    named, pooled = (tuple(filter(None, (found,))) for found in (name, shared))
    return replace(host, names=host.names or named, macs=host.macs or tuple(own), common=(*host.common, *pooled))
