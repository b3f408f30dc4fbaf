"""The OData query options of the directory, checked as by Graph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.simulator.graph.exchange import Call, GraphRefused, bad_request, unsupported
from server.simulator.graph.property import ALL_SORTS, SORTS
from server.simulator.tenant.relation import GraphRelation, relations_of

TOP_DEFAULT, TOP_MAX = 100, 999
OPTIONS = frozenset(
    "select expand filter search orderby top skip count skiptoken deltatoken format apply compute having".split()
)
"""Every query option that Graph knows."""
JSON_FORMATS = ("json", "application/json")
_EQUALS = re.compile(r"^\s*(\w+)\s+eq\s+(?:'((?:[^']|'')*)'|(true|false|null))\s*$", re.IGNORECASE)
_EXPAND = re.compile(r"^\s*(\w+)\s*(?:\(\s*\$select=([\w,\s]+)\))?\s*$")


@dataclass(frozen=True, slots=True)
class Expand:
    """One expanded relation and the properties to show of its targets; empty means their default set."""

    relation: GraphRelation
    select: tuple[str, ...]


def parse_options(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return query options by name, with or without the leading `$`, as Graph accepts them."""
    return {name.removeprefix("$").lower(): value for name, value in pairs}


def known_options(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return query options by name.

    Raises:
        GraphRefused: 400 for an unknown option with a `$`; unknown names without a `$` are ignored.
    """
    for name, _ in pairs:
        if name.startswith("$") and name.removeprefix("$").lower() not in OPTIONS:
            raise bad_request(f"The query parameter '{name}' is not supported.", "BadRequest")
    return parse_options(pairs)


def split_names(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def refuse_unsupported(options: Mapping[str, str], *supported: str) -> None:
    """Raise for query options that are not in `supported`."""
    for name in options:
        if name == "format" and options[name].lower() in JSON_FORMATS:
            continue
        if name in OPTIONS and name not in supported:
            raise unsupported(f"Unsupported Query. The query option '${name}' is not supported on this resource.")


def page_size(options: Mapping[str, str]) -> int:
    """Return `$top`, 1 to 999, 100 when not given."""
    text = options.get("top")
    if text is None:
        return TOP_DEFAULT
    if not text.isdigit():
        raise bad_request(f"Invalid value '{text}' for $top query option found.")
    if not 1 <= int(text) <= TOP_MAX:
        raise unsupported(f"Invalid page size specified: '{text}'. Must be between 1 and {TOP_MAX} inclusive.")
    return int(text)


def selected(kind: str, options: Mapping[str, str], *, single: bool = False) -> tuple[str, ...]:
    """Return the properties to show, `id` first.

    Raises:
        GraphRefused: 400 for a property that the type does not have, 501 for one stored outside the directory.
    """
    names = split_names(options.get("select", ""))
    if not names:
        return SORTS[kind].default
    check_properties(kind, names, single=single)
    return ("id", *(name for name in names if name != "id"))


def check_properties(kind: str, names: tuple[str, ...], *, single: bool = False) -> None:
    """Raise for properties that cannot be selected."""
    sort = SORTS[kind]
    for name in names:
        if name in sort.outside:
            if not single:
                raise GraphRefused(501, "NotImplemented", f"The property '{name}' is not supported on a collection.")
        elif name not in sort.known:
            raise bad_request(
                "Parsing OData Select and Expand failed: Could not find a property named "
                f"'{name}' on type 'microsoft.graph.{sort.type_name}'."
            )


def expanded(kind: str, call: Call) -> Expand | None:
    """Return the relation to expand; Graph takes one, without nested levels."""
    text = call.options.get("expand")
    if not text:
        return None
    match = _EXPAND.match(text)
    if match is None:
        raise bad_request("Parsing OData Select and Expand failed: only one relation with $select can be expanded.")
    relation = relations_of(kind).get(match[1])
    if match[1] == "memberOf":
        raise unsupported("Not simulated: $expand=memberOf. Read /memberOf of each object instead.")
    if relation is None:
        raise bad_request(
            f"Parsing OData Select and Expand failed: Could not find a property named '{match[1]}' "
            f"on type 'microsoft.graph.{SORTS[kind].type_name}'."
        )
    if call.eventual and call.options.get("count") == "true":
        raise unsupported("Expand is not supported with advanced queries.")
    return Expand(relation, related_names((*relation.targets, *relation.others), split_names(match[2] or "")))


def related_names(kinds: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return properties of related objects; raise for one that none of their types has."""
    known = frozenset().union(*(ALL_SORTS[kind].known for kind in kinds))
    if any(name not in known for name in names):
        check_properties(kinds[0], tuple(name for name in names if name not in known))
    return names


@dataclass(frozen=True, slots=True)
class Equals:
    """The one filter that lists support: a property equals a value."""

    name: str
    value: Any

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether an object matches; texts compare without case, as in the directory."""
        own = values.get(self.name)
        if isinstance(own, str) and isinstance(self.value, str):
            return own.casefold() == self.value.casefold()
        return bool(own == self.value)


def filtered(kind: str, options: Mapping[str, str]) -> Equals | None:
    """Return the filter of a list."""
    text = options.get("filter")
    if not text:
        return None
    match = _EQUALS.match(text)
    if match is None:
        raise unsupported("Unsupported or invalid query filter clause specified.")
    check_properties(kind, (match[1],))
    words: dict[str, Any] = {"true": True, "false": False, "null": None}
    return Equals(match[1], match[2].replace("''", "'") if match[2] is not None else words[match[3].lower()])


def filtered_ids(options: Mapping[str, str], limit: int = 50) -> tuple[str, ...] | None:
    """Return the ids of delta's only filter, `id eq 'a' or id eq 'b'`, at most 50."""
    text = options.get("filter")
    if not text:
        return None
    matches = [_EQUALS.match(part) for part in re.split(r"\s+or\s+", text)]
    ids = tuple(match[2].lower() for match in matches if match and match[1].lower() == "id" and match[2])
    if len(ids) != len(matches) or len(ids) > limit:
        raise bad_request("Unsupported or invalid query filter clause specified.")
    return ids
