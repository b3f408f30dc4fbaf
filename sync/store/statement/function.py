"""Python functions that SQL calls, registered on every SQLite connection; invalid arguments give NULL, not an error.

Texts are compared in their folded form and sorted by their sort key (docs/decisions/0017); both are the same on every
machine and database. Versions become texts that sort component by component.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from unicodedata import category, normalize, unidata_version

# Names both forms of texts. Values made from another form are rebuilt: stored sort keys, the trigram index, cursors.
TEXT_FORM = f"1/{unidata_version}"
# Turkish has a dotted capital I and a dotless small i: fold all four letters into one.
_DOTTED = re.compile("i\u0307+")
_DIGITS = re.compile(r"[0-9]+")
_DIGITS_MAX = 99


def register(connection: Any) -> None:
    """Register the functions on a new SQLite connection."""
    for name, function, arguments in (
        ("fold", fold, 1),
        ("sort_key", sort_key, 1),
        ("version_key", version_key, 1),
        ("in_networks", in_networks, 2),
    ):
        connection.create_function(name, arguments, function, deterministic=True)


def fold(text: object) -> object:
    """Return a text's folded form, and any other value unchanged."""
    return folded(text) if isinstance(text, str) else text


def folded(text: str) -> str:
    """Return the form that texts are compared in: without letter case, accents composed."""
    if text.isascii():
        return text.lower()
    without_case = normalize("NFC", text).casefold().replace("\u0131", "i")
    return normalize("NFC", _DOTTED.sub("i", without_case))


def sort_key(text: object) -> str | None:
    """Return a text's sort key: its folded form without combining marks. None for any other value.

    Texts with the same folded form have the same key.
    """
    if not isinstance(text, str):
        return None
    if text.isascii():
        return text.lower()
    parts = normalize("NFD", folded(text))
    return normalize("NFC", "".join(part for part in parts if category(part) != "Mn"))


@lru_cache(maxsize=10_000)
def version_key(version: object) -> str | None:
    """Return a text that sorts like the version's numbers: 10.0.9 before 10.0.10, 10.0 equal to 10.0.0.

    None if the version has no number. Characters between the numbers are ignored.
    """
    found = _DIGITS.findall(version) if isinstance(version, str) else []
    if not found:
        return None
    numbers = [number.lstrip("0")[:_DIGITS_MAX] for number in found]
    while numbers and not numbers[-1]:
        numbers.pop()
    # The number of digits comes first: a longer number is greater. A blank sorts before every digit.
    return " ".join(f"{len(number):02}{number}" for number in numbers)


@lru_cache(maxsize=50_000)
def in_networks(address: object, networks: str) -> bool | None:
    """Tell whether an address lies in one of the networks, which blanks separate; None if it is not an address.

    An IPv4-mapped IPv6 address counts as IPv4. A network or a range (`10.0.0.5-20`) only has to overlap a network.
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
    """Return the IP version, first and last address of a network or range; None if the text is neither."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        if not dash:
            network = ip_network(first, strict=False)
            return network.version, int(network.network_address), int(network.broadcast_address)
        start = ip_address(first)
        sign = "." if start.version == 4 else ":"
        # The end may be written without the start's prefix.
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
