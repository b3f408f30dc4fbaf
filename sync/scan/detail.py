"""What this machine knows of hosts besides what a scanner saw: their names and, on its own networks, their MACs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sync.inventory.scan import Host
from sync.scan.name import NameOf, names_of

SHARED_MAX = 8
"""A name or a MAC address that more addresses share tells machines apart no longer: a pool, a proxy, a router."""


async def with_details(hosts: Sequence[Host], look_up: NameOf, neighbours: Mapping[str, str]) -> list[Host]:
    """Add names and MAC addresses to hosts that lack them."""
    names = _telling(await names_of([host.addresses[0] for host in hosts if not host.names], look_up))
    macs = _telling(neighbours)
    return [_with(host, names, macs) for host in hosts]


def _telling(found: Mapping[str, str]) -> dict[str, str]:
    shared = Counter(found.values())
    return {address: text for address, text in found.items() if shared[text] <= SHARED_MAX}


def _with(host: Host, names: Mapping[str, str], macs: Mapping[str, str]) -> Host:
    own = [macs[address] for address in host.addresses if address in macs]
    name = names.get(host.addresses[0])
    return replace(host, names=host.names or tuple(filter(None, (name,))), macs=host.macs or tuple(own))
