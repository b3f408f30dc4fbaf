"""Derives from addresses whether a machine is in several networks, and from MAC addresses the makers of its cards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import cache, lru_cache
from ipaddress import ip_address, ip_network
from threading import Thread

import aiooui

# Bits of an address that stand for its network, because scans and directories give no masks.
PREFIX_BITS = {4: 24, 6: 64}
_LOCAL_BIT = 0x02


def is_multi_home(addresses: Iterable[str]) -> bool:
    """Return whether addresses of one IP version lie in more than one network: a /24, or a /64.

    Loopback, link-local, multicast and unspecified addresses do not count. IPv4 and IPv6 side by side are one network.
    """
    networks = {network for address in addresses if (network := _network(address))}
    return any(sum(version == kind for kind, _ in networks) > 1 for version in PREFIX_BITS)


@lru_cache(maxsize=4_096)
def _network(address: str) -> tuple[int, str] | None:
    read = ip_address(address)
    if read.is_loopback or read.is_link_local or read.is_multicast or read.is_unspecified:
        return None
    return read.version, str(ip_network(f"{read}/{PREFIX_BITS[read.version]}", strict=False))


def mac_vendors(macs: Iterable[str]) -> list[str]:
    """List the makers that the IEEE assigned these MAC addresses to, sorted, each once.

    Args:
        macs: in the stored form, `00:1a:2b:3c:4d:5e`.
    """
    return sorted({vendor for mac in macs if (vendor := mac_vendor(mac[:8]))})


@lru_cache(maxsize=16_384)
def mac_vendor(prefix: str) -> str | None:
    """Return the maker of a prefix such as `00:1a:2b`; None for locally administered addresses."""
    if int(prefix[:2], 16) & _LOCAL_BIT:
        return None
    _load()
    return aiooui.get_vendor(prefix)


@cache
def _load() -> None:
    """Load the package's list, which takes milliseconds; in a thread, because the package offers only a coroutine."""
    loader = Thread(target=lambda: asyncio.run(aiooui.async_load()), name="mac vendors")
    loader.start()
    loader.join()
