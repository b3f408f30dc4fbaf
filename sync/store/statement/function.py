"""The functions of our own that SQL calls, registered on every connection; each returns NULL for what it cannot read.

Texts are compared in one folded form and sorted by another (docs/decisions/0017): both are the same on every machine
and database. Versions become texts that sort component by component.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from unicodedata import category, normalize, unidata_version

# Names both forms of texts; what was made from other ones (stored keys, the index of grams, cursors) is made anew.
TEXT_FORM = f"1/{unidata_version}"
# Turkish writes a dot over a capital I, and none over one of its small ones: here all of them are one letter.
_DOTTED = re.compile("i\u0307+")
_DIGITS = re.compile(r"[0-9]+")
_DIGITS_MAX = 99


def register(connection: Any) -> None:
    """Make the functions known to a new SQLite connection."""
    for name, function, arguments in (
        ("fold", fold, 1),
        ("sort_key", sort_key, 1),
        ("version_key", version_key, 1),
        ("in_networks", in_networks, 2),
    ):
        connection.create_function(name, arguments, function, deterministic=True)


def fold(text: object) -> object:
    """Return the form that texts are compared in: without letter case, accents composed; no text stays as it is."""
    return folded(text) if isinstance(text, str) else text


def folded(text: str) -> str:
    """Return a text in the form that texts are compared in."""
    if text.isascii():
        return text.lower()
    without_case = normalize("NFC", text).casefold().replace("\u0131", "i")
    return normalize("NFC", _DOTTED.sub("i", without_case))


def sort_key(text: object) -> str | None:
    """Return what a text is sorted by: its folded form without combining marks; None for what is no text.

    Texts that are equal when folded have the same key.
    """
    if not isinstance(text, str):
        return None
    if text.isascii():
        return text.lower()
    parts = normalize("NFD", folded(text))
    return normalize("NFC", "".join(part for part in parts if category(part) != "Mn"))


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
def in_networks(address: object, networks: str) -> bool | None:
    """Tell whether an IP address lies in one of some networks, separated by blanks; None for what is no address.

    An IPv4 address inside IPv6 counts as IPv4. A network or a range (`10.0.0.5-20`) need only touch one of them.
    """
    try:
        found = ip_address(address) if isinstance(address, str) else None
    except ValueError:
        span = _span(str(address))
        return None if span is None else any(_touches(span, network) for network in _parsed(networks))
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return None if found is None else any(found in network for network in _parsed(networks))


def _span(text: str) -> tuple[int, int, int] | None:
    """Return a network's or a range's version, first and last address; None if the text is neither."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        if not dash:
            network = ip_network(first, strict=False)
            return network.version, int(network.network_address), int(network.broadcast_address)
        start = ip_address(first)
        sign = "." if start.version == 4 else ":"
        # The end may be written without what it shares with the start.
        end = ip_address(last if sign in last else f"{first.rpartition(sign)[0]}{sign}{last}")
    except ValueError:
        return None
    return (start.version, int(start), int(end)) if start.version == end.version else None


def _touches(span: tuple[int, int, int], network: IPv4Network | IPv6Network) -> bool:
    version, first, last = span
    is_apart = last < int(network.network_address) or first > int(network.broadcast_address)
    return version == network.version and not is_apart


@lru_cache(maxsize=1_000)
def _parsed(networks: str) -> list[IPv4Network | IPv6Network]:
    return [ip_network(network) for network in networks.split()]
