"""Keywords that are no field, in plain Python: yes or no, or texts from several places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sync.inventory.asset.service import PRIVATE
from tests.api.links import Links
from tests.api.predicate import inside
from tests.api.world import Row


def _is_public(address: str) -> bool:
    return not any(inside(address, network) for network in PRIVATE)


def _has_group(noun: str) -> Callable[[Links, Row], bool]:
    return lambda links, row: bool(links.related(noun, "groups", row))


def _columns(*columns: str) -> Callable[[Links, Row], list[Any]]:
    return lambda _, row: [row[column] for column in columns]


def _beyond(noun: str, column: str, *ways: str) -> Callable[[Links, Row], list[Any]]:
    return lambda links, row: [other[column] for way in ways for other in links.related(noun, way, row)]


# Noun → keyword → whether it holds; None where it is not known.
FLAGS: dict[str, dict[str, Callable[[Links, Row], bool | None]]] = {
    "Asset": {
        "has_mac": lambda _, row: bool(row["macs"]),
        "has_name": lambda _, row: bool(row["names"]),
        "has_ipv6": lambda _, row: any(":" in one for one in row["addresses"]),
        "has_private": lambda _, row: any(not _is_public(one) for one in row["addresses"]),
        "has_public": lambda _, row: any(_is_public(one) for one in row["addresses"]),
        "has_public_v4": lambda _, row: any(_is_public(one) and ":" not in one for one in row["addresses"]),
        "has_public_v6": lambda _, row: any(_is_public(one) and ":" in one for one in row["addresses"]),
        "has_group": _has_group("Asset"),
    },
    "User": {
        "has_group": _has_group("User"),
        "is_disabled": lambda _, row: None if row["account_enabled"] is None else not row["account_enabled"],
    },
}
# Noun → keyword → the texts it looks at, flat or in lists.
TEXTS: dict[str, dict[str, Callable[[Links, Row], list[Any]]]] = {
    "Asset": {
        "os": _columns("os", "os_alternative"),
        "group_name": _beyond("Asset", "display_name", "groups"),
        "detected_by": _beyond("Asset", "detected_by", "scan"),
    },
    "User": {
        "phone": lambda _, row: [row["mobile_phone"], *(row["business_phones"] or [])],
        "group_name": _beyond("User", "display_name", "groups"),
    },
}
