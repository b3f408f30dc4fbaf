"""The keyword `has`, whose value is the whole name of a keyword, and `attribute`, which takes part of a name."""

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
    """Make the keyword that tests whether another one has a value; `known` finds a keyword by name."""

    def read(reading: Reading) -> Expr:
        if reading.term.operator not in ("", "=") or reading.is_missing:
            reading.refuse("has: takes a name", ["has:owner", 'has:"@azuread.dev.mdmAppId"'])
        keyword = known(noun, reading, reading.literal)
        return keyword.read(reading) if keyword.uncollected else keyword.present

    description = "The whole name of a keyword, or of a source's attribute, that has a value."
    return Keyword("has", (), FieldKind.TEXT, description, read, EVERYTHING)


def attribute_named(noun: Noun) -> list[Keyword]:
    """Make the keyword that finds attributes of a source by part of their names; empty if the noun has none."""
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
            similar = likest(reading.literal, [(name, pairs(name)) for name in sorted(names)])
            hint = f"Did you mean {' or '.join(similar)}?" if similar else "`attributes` of a row lists its attributes."
            reading.refuse("No source has an attribute of that name", hint=Suggestion(hint), suggestions=similar)
        return Or(tuple(found))

    description = "Part of the name of a source's attribute that has a value; after `=`, the whole name."
    return [Keyword("attribute", (), FieldKind.TEXT, description, read, EVERYTHING)]


def _matcher(reading: Reading) -> Callable[[str], bool]:
    """Return a test for folded names; `%` stands for any run of characters."""
    wanted = re.compile(".*".join(map(re.escape, folded(reading.literal).split("%"))), re.DOTALL)
    is_whole = reading.term.operator == "="
    return lambda name: bool(wanted.fullmatch(name) if is_whole else wanted.search(name))


def _names(noun: str) -> list[str]:
    return [name for field in attributes(noun).values() for name in names_of(field)[:1]]


def _present(noun: str, matches: Callable[[str], bool]) -> tuple[Expr, ...]:
    """List the conditions that a record's attribute has a value, for each attribute whose name matches."""
    found = {field.name: field for name, field in attributes(noun).items() if matches(name)}
    return tuple(map(present, found.values()))
