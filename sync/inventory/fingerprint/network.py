"""What the addresses of a machine tell: whether it is in several networks, and who made its network cards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import cache, lru_cache
from ipaddress import ip_address, ip_network
from threading import Thread

import aiooui

# How long the part of an address is that stands for its network: what scans and directories tell has no masks.
PREFIX_BITS = {4: 24, 6: 64}
_LOCAL_BIT = 0x02


def is_multi_home(addresses: Iterable[str]) -> bool:
    """Tell whether addresses of one version lie in more than one network: a /24, or a /64.

    Addresses that every machine has or may have do not count: loopback, link-local, multicast, unspecified. IPv4 and
    IPv6 side by side are one network.
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
    """List who was given the first half of these MAC addresses by the IEEE, sorted, each once.

    Args:
        macs: in the stored form, `00:1a:2b:3c:4d:5e`.
    """
    return sorted({vendor for mac in macs if (vendor := mac_vendor(mac[:8]))})


@lru_cache(maxsize=16_384)
def mac_vendor(prefix: str) -> str | None:
    """Return who was given `00:1a:2b`; None for addresses that a machine made up itself."""
    if int(prefix[:2], 16) & _LOCAL_BIT:
        return None
    _load()
    return aiooui.get_vendor(prefix)


@cache
def _load() -> None:
    """Map the package's list into memory, in some milliseconds; its one way to do so is a coroutine."""
    loader = Thread(target=lambda: asyncio.run(aiooui.async_load()), name="mac vendors")
    loader.start()
    loader.join()
