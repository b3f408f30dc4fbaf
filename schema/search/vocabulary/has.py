"""The keywords `has`, which takes the exact name of what has a value, and `attribute`, which takes a part of one."""

from __future__ import annotations

import re
from collections.abc import Callable

from schema.field.attribute import attributes, folded, names_of
from schema.field.registry import FieldKind, Noun
from schema.filter.expr import EVERYTHING, Expr, Or, Quantifier, Related
from schema.search.value import Reading, present
from schema.search.vocabulary.keyword import Keyword
from schema.suggestion import Suggestion, likest, pairs

Known = Callable[[Noun, Reading, str], Keyword]


def has(noun: Noun, known: Known) -> Keyword:
    """Make the keyword that asks whether another one has a value; `known` finds what a name stands for."""

    def read(reading: Reading) -> Expr:
        if reading.term.operator not in ("", "=") or reading.is_missing:
            reading.refuse("has: takes a name", ["has:owner", 'has:"@azuread.dev.mdmAppId"'])
        keyword = known(noun, reading, reading.literal)
        return keyword.read(reading) if keyword.uncollected else keyword.present

    description = "Whether another keyword, or an attribute of a source, has a value: its whole name."
    return Keyword("has", (), FieldKind.TEXT, description, read, EVERYTHING)


def attribute_named(noun: Noun) -> list[Keyword]:
    """Make the keyword that asks for any attribute of a source by a part of its name; none without such attributes."""
    records = [(relation.name, relation.target) for relation in noun.relations.values() if relation.source]
    own = noun.name if "external_id" in noun.fields else ""
    if not records and not own:
        return []

    def read(reading: Reading) -> Expr:
        if reading.term.operator not in ("", "=") or reading.is_missing:
            reading.refuse("attribute: takes a name or a part of one", ["attribute:sync", "attribute:=trustType"])
        matches = _matcher(reading)
        found: list[Expr] = [
            Related(way, Quantifier.SOME, Or(parts)) for way, target in records if (parts := _present(target, matches))
        ]
        found += _present(own, matches) if own else ()
        if not found:
            targets = [own, *(target for _, target in records)]
            names = {name for target in filter(None, targets) for name in _names(target)}
            near = likest(reading.literal, [(name, pairs(name)) for name in sorted(names)])
            hint = f"Did you mean {' or '.join(near)}?" if near else "`attributes` of a row shows what there is."
            reading.refuse("No source has an attribute of that name", hint=Suggestion(hint), suggestions=near)
        return Or(tuple(found))

    description = "Whether an attribute of a source has a value: part of the attribute's name, or after `=` all of it."
    return [Keyword("attribute", (), FieldKind.TEXT, description, read, EVERYTHING)]


def _matcher(reading: Reading) -> Callable[[str], bool]:
    """Return whether a name, as `folded` writes it, is meant; `%` stands for any run of characters."""
    wanted = re.compile(".*".join(map(re.escape, folded(reading.literal).split("%"))), re.DOTALL)
    is_whole = reading.term.operator == "="
    return lambda name: bool(wanted.fullmatch(name) if is_whole else wanted.search(name))


def _names(noun: str) -> list[str]:
    return [name for field in attributes(noun).values() for name in names_of(field)[:1]]


def _present(noun: str, matches: Callable[[str], bool]) -> tuple[Expr, ...]:
    """Ask whether one of a record's attributes whose names match has a value."""
    found = {field.name: field for name, field in attributes(noun).items() if matches(name)}
    return tuple(map(present, found.values()))
