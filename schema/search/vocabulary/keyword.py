"""Keywords, the names before a colon in a search text; makes them from fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from schema.field.registry import Field, FieldKind, Noun, Relation
from schema.filter.expr import Expr, Not, Quantifier, Related
from schema.search.value import Reading, condition, present


@dataclass(frozen=True)
class Keyword:
    """A name that may stand before a colon.

    Args:
        name: in the documentation's spelling.
        aliases: other names.
        kind: of the values.
        description: a sentence.
        read: turns a term into a condition; raises BadSearch.
        present: the meaning of `has:keyword`.
        values: all values, if the list is closed.
        is_text: whether a word without a keyword is searched for in this derived keyword too.
        uncollected: for data that no sync reads, what to ask for instead; using the keyword is an error.
        field: the noun and the field whose values a completion offers.
        is_own: whether that field belongs to the inventory's own rows, so that its values can be counted.
        also: a second such field to search; no row has the same value in both.
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
    # Drop an alias that differs from the keyword only in letter case or underscores.
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

    It is missing if no related row has a value, or if there are no related rows: the opposite of `has:`.
    """
    there = Related(relation.name, Quantifier.SOME, keyword.present)

    def read(reading: Reading) -> Expr:
        asked = keyword.read(reading)
        return Not(there) if reading.is_missing else Related(relation.name, Quantifier.SOME, asked)

    return replace(keyword, read=read, present=there, is_own=False)


def plain(name: str) -> str:
    """Return a keyword in lower case and without underscores, for comparison."""
    return name.casefold().replace("_", "")
