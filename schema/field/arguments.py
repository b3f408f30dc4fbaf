"""The arguments of fields, each with its description; a field without any says nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, signature
from typing import Annotated, Any, Optional

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from schema.list.paging import FIRST_DEFAULT, FIRST_MAX


def argument(annotation: Any, description: str) -> Any:
    """Return the annotation of an argument that is described."""
    return Annotated[annotation, strawberry.argument(description=description)]


def given(value: Any) -> Any:
    """Return an argument's value; None if it was omitted, or null, which means the same."""
    return None if value is UNSET else value


def accept(
    resolve: Any, returned: Any, arguments: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> None:
    """Give a resolver of (root, info, **arguments) GraphQL arguments, Python name → type.

    Args:
        resolve: the resolver.
        returned: the type of its field.
        arguments: all may be left out.
        defaults: what one that was left out is; UNSET for the rest.
    """
    parameters = [Parameter("root", Parameter.POSITIONAL_OR_KEYWORD)]
    parameters.append(Parameter("info", Parameter.POSITIONAL_OR_KEYWORD, annotation=Info))
    for name, type_ in arguments.items():
        default = (defaults or {}).get(name, UNSET)
        parameters.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=type_))
    # Strawberry reads the arguments from the signature and their types from the annotations.
    resolve.__signature__ = signature(resolve).replace(parameters=parameters, return_annotation=returned)
    resolve.__annotations__ = {"info": Info, **arguments, "return": returned}


# Strawberry reads these at run time, where `|` does not take every annotation.
PAGING: dict[str, Any] = {
    "first": argument(
        Optional[int],  # noqa: UP045
        f"How many rows, from the start or behind `after`: 1 to {FIRST_MAX:,}, {FIRST_DEFAULT} unless given.",
    ),
    "last": argument(
        Optional[int],  # noqa: UP045
        f"How many rows, up to the end or to `before`: 1 to {FIRST_MAX:,}; excludes `first`.",
    ),
    "after": argument(Optional[str], "The cursor of the row that the page begins behind; goes with `first`."),  # noqa: UP045
    "before": argument(Optional[str], "The cursor of the row that the page ends before; goes with `last`."),  # noqa: UP045
}
WHERE = "Which rows; all when it is left out."
SEARCH = "Which rows, in the search language (docs/search.md); ANDed with `where`."
UNKNOWN_TERMS = "What becomes of terms of `search` that nothing here can answer; under NOT and OR they are mistakes."
ORDER_BY = "In which order; rows that tie, and all when it is left out, are sorted by id."
TRANSITIVE = "Also through nested groups, at any depth."
ACROSS_SITES = "Each directory object once, however many sites list it: its row of the site that read it first."
GROUP_BY = "What the rows of a group have in common; one group of all rows when it is left out."
ID = "The object's id, of the right kind."
IDS = "The objects' ids, of any kind."
BY = "The one key to look it up by."
INPUT = "What it is done with."
