"""The arguments of fields, each with its description; a field without any says nothing here."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import strawberry

from schema.paging import FIRST_DEFAULT, FIRST_MAX


def argument(annotation: Any, description: str) -> Any:
    """Return the annotation of an argument that is described."""
    return Annotated[annotation, strawberry.argument(description=description)]


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
ORDER_BY = "In which order; rows that tie, and all when it is left out, are sorted by id."
TRANSITIVE = "Also through nested groups, at any depth."
GROUP_BY = "What the rows of a group have in common; one group of all rows when it is left out."
IDS = "The ids, of any kind."
ID = "The object's id, of the right kind."
BY = "The one key to look it up by."
INPUT = "What it is done with."
