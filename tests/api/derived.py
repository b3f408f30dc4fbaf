"""Keywords that are no field, in plain Python: related rows and their number, yes or no, texts and times of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from schema.field.registry import NOUNS, Relation
from sync.inventory.asset.service import PRIVATE
from tests.api.links import LOADED, Links
from tests.api.predicate import inside
from tests.api.world import Row

Ways = dict[str, tuple[str, ...]]
# What the rows of a relation are known by; all others by their name.
KNOWN_BY = {
    "User": ("display_name", "user_principal_name", "mail"), "Group": ("display_name", "mail"), "Asset": ("names",),
    "DirectoryObject": ("display_name", "external_id"),
}  # fmt: skip
# Noun → keyword → the ways that lead to its rows, where they are others than the relation of this name.
_NAMED: dict[str, Ways] = {
    "User": {
        "group": ("groups",), "manager": ("manager", "other_manager"), "organization": ("site.organization",),
        "asset": ("owned_assets", "registered_assets"), "direct_reports": ("direct_reports",),
    },
    "Group": {
        "user": ("users",), "owner": ("owners", "other_owners"), "group": ("groups",), "member_of": ("member_of",),
        "asset": ("assets",), "member": ("users", "groups", "assets", "other_members"),
        "organization": ("site.organization",),
    },
    "Asset": {
        "owner": ("owners", "other_owners"), "group": ("groups",), "task": ("site.tasks",),
        "user": ("owners", "other_owners", "registered_users", "other_registered_users"),
        "registered_users": ("registered_users", "other_registered_users"),
    },
    "Task": {"organization": ("site.organization",)},
}  # fmt: skip
_COUNTED: dict[str, Ways] = {
    "User": {"group_count": ("groups",), "asset_count": ("owned_assets", "registered_assets")},
    "Group": {
        "user_count": ("users",), "member_count": ("users", "groups", "assets", "other_members"),
        "asset_count": ("assets",), "owner_count": ("owners", "other_owners"),
    },
    "Asset": {"group_count": ("groups",), "owner_count": ("owners", "other_owners")},
}  # fmt: skip


def along(links: Links, noun: str, way: str, row: Row) -> Iterator[tuple[str, Row]]:
    """Follow relations, joined by dots; yield each row that they lead to with its noun."""
    name, _, rest = way.partition(".")
    target = NOUNS[noun].relations[name].target
    for other in links.related(noun, name, row):
        if rest:
            yield from along(links, target, rest, other)
        else:
            yield target, other


def _ways(relation: Relation) -> tuple[str, ...]:
    """Return the relation, and the one to ends of its edges that are no rows of their own."""
    return (relation.name, relation.others) if relation.others else (relation.name,)


def _named(noun: str) -> Ways:
    """Return the keywords of related rows: every relation has one, by its name."""
    taken = {field.keyword for field in NOUNS[noun].filterable().values()}
    ways = dict(_NAMED.get(noun, {}))
    for relation in NOUNS[noun].relations.values():
        if relation.target in LOADED and relation.target != "TaskRun" and relation.singular not in taken:
            ways.setdefault(relation.singular, _ways(relation))
    return ways


def _counted(noun: str) -> Ways:
    """Return the keywords of how many rows a relation leads to."""
    ways = dict(_COUNTED.get(noun, {}))
    for relation in NOUNS[noun].relations.values():
        if relation.is_many and relation.target in LOADED:
            ways.setdefault(f"{relation.singular}_count", _ways(relation))
    return ways


NOUNS_SEARCHED = ("User", "Group", "Asset", "Task", "TaskRun", "Site", "Credential")
NAMED = {noun: ways for noun in NOUNS_SEARCHED if (ways := _named(noun))}
COUNTED = {noun: ways for noun in NOUNS_SEARCHED if (ways := _counted(noun))}


def _is_in(address: str, networks: Iterable[str]) -> bool:
    return any(inside(address, network) for network in networks)


def _is_public(address: str) -> bool:
    return _is_in(address, ("0.0.0.0/0", "::/0")) and not _is_in(address, PRIVATE)


def _has_group(noun: str) -> Callable[[Links, Row], bool]:
    return lambda links, row: bool(links.related(noun, "groups", row))


def _columns(*columns: str) -> Callable[[Links, Row], list[Any]]:
    return lambda _, row: [row[column] for column in columns]


def _errors(links: Links, row: Row) -> list[Any]:
    found = [error for run in links.related("Task", "last_run", row) for error in run["errors"]]
    return [text for error in found for text in error.values() if isinstance(text, str)]


def _queued_at(links: Links, row: Row) -> str | None:
    return next((run["created_at"] for run in links.related("Task", "last_run", row)), None)


def _beyond(noun: str, column: str, *ways: str) -> Callable[[Links, Row], list[Any]]:
    return lambda links, row: [other[column] for way in ways for other in links.related(noun, way, row)]


# Noun → keyword → whether it holds; None where it is not known.
FLAGS: dict[str, dict[str, Callable[[Links, Row], bool | None]]] = {
    "Asset": {
        "has_mac": lambda _, row: bool(row["macs"]),
        "has_name": lambda _, row: bool(row["names"]),
        "has_ipv6": lambda _, row: any(":" in one for one in row["addresses"]),
        "has_private": lambda _, row: any(_is_in(one, PRIVATE) for one in row["addresses"]),
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
    "Task": {"error": _errors},
}
# Noun → keyword → the time of another row.
TIMES: dict[str, dict[str, Callable[[Links, Row], str | None]]] = {"Task": {"last_run": _queued_at}}
