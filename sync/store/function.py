"""The functions of our own that SQL calls, registered on every connection; each returns NULL for what it cannot read.

Letter case is ignored in all scripts (SQLite's own LOWER and LIKE know only ASCII), versions are compared component by
component, addresses by number: the last two become texts that sort as they should.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

_DIGITS = re.compile(r"[0-9]+")
_DIGITS_MAX = 99


def register(connection: Any) -> None:
    """Make the functions known to a new SQLite connection."""
    for name, function in (("fold", fold), ("version_key", version_key), ("address_key", address_key)):
        connection.create_function(name, 1, function, deterministic=True)


def fold(text: object) -> object:
    """Return a text without its letter case."""
    return text.casefold() if isinstance(text, str) else text


@lru_cache(maxsize=10_000)
def version_key(version: object) -> str | None:
    """Return a text that sorts as the version's numbers do: 10.0.9 before 10.0.10, and 10.0 with 10.0.0.

    None when there is no number in it. What stands between the numbers does not count.
    """
    found = _DIGITS.findall(version) if isinstance(version, str) else []
    if not found:
        return None
    numbers = [number.lstrip("0")[:_DIGITS_MAX] for number in found]
    while numbers and not numbers[-1]:
        numbers.pop()
    # A longer number is a greater one; a blank sorts before every digit.
    return " ".join(f"{len(number):02}{number}" for number in numbers)


@lru_cache(maxsize=50_000)
def address_key(address: object) -> str | None:
    """Return a text that sorts as IP addresses do, IPv4 before IPv6; None for what is no address."""
    try:
        return sortable(ip_address(address)) if isinstance(address, str) else None
    except ValueError:
        return None


def sortable(address: IPv4Address | IPv6Address) -> str:
    """Return the text that `address_key` makes of an address; an IPv4 address inside IPv6 counts as IPv4."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"6{int(address):032x}"
    return f"4{int(address.ipv4_mapped or 0) if isinstance(address, IPv6Address) else int(address):08x}"
