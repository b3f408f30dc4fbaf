"""The arguments that filter the rows of a list or an aggregate, and the conditions made from them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Optional

import strawberry
from sqlalchemy import Select

from schema.field.arguments import ACROSS_SITES, SEARCH, UNKNOWN_TERMS, WHERE, argument, given
from schema.field.registry import NOUNS, Noun
from schema.field.rows import rows_of
from schema.filter.access_path import Ways, ways
from schema.filter.expr import Expr
from schema.filter.inputs import expression
from schema.filter.where import Viewpoint, clause
from schema.generated import named
from schema.search import read_search


@strawberry.enum(description="What to do with a search term that nothing here can answer, such as an unknown keyword.")
class UnknownTerms(enum.Enum):
    ERROR = strawberry.enum_value("ERROR", description="The search is refused, and the error names the term.")
    EMPTY = strawberry.enum_value(
        "EMPTY", description="The term finds nothing, and `unknownTerms` of the list names it."
    )


def narrowing(target: str) -> dict[str, Any]:
    """Return the arguments that filter the rows of a noun."""
    where: Any = Optional[named(f"{target}Where")]  # noqa: UP045 - `|` does not take forward references
    return {
        "where": argument(where, WHERE),
        "search": argument(Optional[str], SEARCH),  # noqa: UP045
        "unknown_terms": argument(UnknownTerms, UNKNOWN_TERMS),
    }


def whole_narrowing(target: str) -> dict[str, Any]:
    """Return the arguments that filter all of the caller's rows of a noun, `acrossSites` included."""
    if NOUNS[target].stands_for_all is None:
        return narrowing(target)
    return narrowing(target) | {"across_sites": argument(bool, ACROSS_SITES)}


def expression_of(noun: Noun, arguments: Mapping[str, Any]) -> Expr:
    """Return the expression of the filter arguments.

    Raises:
        BadInput: the arguments cannot be used.
    """
    takes_unknown = arguments.get("unknown_terms") is UnknownTerms.EMPTY
    where, search = (given(arguments.get(name)) for name in ("where", "search"))
    return expression(noun, where, search, takes_unknown=takes_unknown)


def unknown_of(noun: Noun, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the terms of a search that nothing here can answer, if `unknownTerms` is EMPTY."""
    search = given(arguments.get("search"))
    if search is None or arguments.get("unknown_terms") is not UnknownTerms.EMPTY:
        return ()
    return read_search(noun.name, search, takes_unknown=True).unknown


def narrowed(viewpoint: Viewpoint, noun: Noun, arguments: Mapping[str, Any]) -> tuple[Select[Any], Expr, Ways]:
    """Return the selection of the caller's rows that match the arguments, its condition, and the indexes for it.

    Raises:
        BadInput: the condition cannot be used.
        Forbidden: the condition uses a field that the caller may not read.
    """
    expr = expression_of(noun, arguments)
    rows = rows_of(noun, viewpoint.principal).where(clause(noun, expr, viewpoint))
    if arguments.get("across_sites") and noun.stands_for_all is not None:
        rows = rows.where(noun.stands_for_all)
    return rows, expr, ways(noun, expr, viewpoint)
