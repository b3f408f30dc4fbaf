"""Keywords: the words before a colon in a search text, and how a field becomes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from schema.field.registry import Field, FieldKind, Noun, Relation
from schema.filter.expr import Expr, Not, Quantifier, Related
from schema.search.value import Reading, condition, present


@dataclass(frozen=True)
class Keyword:
    """What may stand before a colon.

    Args:
        name: as documentation spells it.
        aliases: other names.
        kind: of the values.
        description: a sentence.
        read: gives a term its meaning; raises BadSearch.
        present: what `has:keyword` means.
        values: all there are, if the list is closed.
        is_text: whether a word without a keyword is looked for here too, besides the fields that say so.
        uncollected: of what no sync reads: what to use instead; asking for it is an error, not an empty answer.
        field: the names of the noun and the field whose values a completion offers; related rows are known by it.
        is_own: whether the field is one of the inventory's rows themselves, so that its values can be counted.
        also: another such field that is looked in; no row has the same value in both.
    """

    name: str
    aliases: tuple[str, ...]
    kind: FieldKind
    description: str
    read: Callable[[Reading], Expr]
    present: Expr
    values: tuple[str, ...] = ()
    is_text: bool = False
    uncollected: str = ""
    field: tuple[str, str] | None = None
    is_own: bool = False
    also: str = ""


def of_field(noun: Noun, field: Field) -> Keyword:
    """Make the keyword of a field."""
    values = tuple(str(member.value).lower() for member in field.enum or ())
    # Aliases that only differ in what does not count are not worth showing.
    aliases = {plain(alias): alias for alias in (field.graphql_name, *field.aliases)}
    aliases.pop(plain(field.keyword), None)
    return Keyword(
        field.keyword,
        tuple(aliases.values()),
        field.kind,
        field.description,
        lambda reading: condition(field, noun.prefix, reading),
        present(field),
        values,
        field=(noun.name, field.name),
        is_own=True,
    )


def across(relation: Relation, keyword: Keyword) -> Keyword:
    """Lift a keyword across a relation: it is true if any related row matches.

    It is missing where no related row has a value, also where there are no related rows: the opposite of `has:`.
    """
    there = Related(relation.name, Quantifier.SOME, keyword.present)

    def read(reading: Reading) -> Expr:
        asked = keyword.read(reading)
        return Not(there) if reading.is_missing else Related(relation.name, Quantifier.SOME, asked)

    return replace(keyword, read=read, present=there, is_own=False)


def plain(name: str) -> str:
    """Return a keyword without what does not count: letter case and underscores."""
    return name.casefold().replace("_", "")
