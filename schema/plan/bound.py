"""The arguments of a list or a look-up, as one run of a plan uses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schema.field.rows import parameter
from schema.list.listing import Listing, count_of, page_of, text_of
from schema.list.paging import Window
from schema.plan.statement import Statement


@dataclass(slots=True)
class BoundList:
    """A list with its arguments: which window of which rows in which order.

    Args:
        listing: reads the level's columns, then those of its order.
        width: how many columns stand before those of its order.
        statements: the page statements compiled so far, by the shape of the cursor; shared by equal lists.
    """

    listing: Listing
    window: Window
    width: int
    statements: dict[tuple[Any, ...], Statement]

    def page(self, values: Sequence[Any] | None, *, is_text: bool = False) -> Statement:
        """Return the statement of a page behind such values."""
        shape = None if values is None else tuple(v if v is None or isinstance(v, bool) else "?" for v in values)
        key = (self.window.backwards, is_text, shape)
        if key not in self.statements:
            keys = self.listing.keys
            turned = tuple(entry.turned() for entry in keys) if self.window.backwards else keys
            behind = None if shape is None else [_parameter(n, part, keys) for n, part in enumerate(shape)]
            selected = text_of(self.listing, behind) if is_text else page_of(self.listing, turned, behind)
            self.statements[key] = Statement.of(selected)
        return self.statements[key]

    @property
    def fits_text(self) -> bool:
        """Whether a page can be read as one text in the list's order."""
        return not self.window.backwards and (self.listing.near is None or self.listing.is_walked)

    @property
    def count(self) -> Statement:
        """Return the statement that counts the whole list."""
        key = ("count",)
        if key not in self.statements:
            self.statements[key] = Statement.of(count_of(self.listing))
        return self.statements[key]


def _parameter(number: int, part: Any, keys: Sequence[Any]) -> Any:
    """Make a parameter of a cursor's value; null and booleans change the statement itself."""
    return parameter(f"cursor{number}", keys[number].column.type) if part == "?" else part


@dataclass(frozen=True, slots=True)
class BoundLookup:
    """A look-up with its argument: the statement, and the value its key must have."""

    statement: Statement
    value: Any


@dataclass(frozen=True, slots=True)
class BoundNames:
    """Ids that were read: the noun and the key that each names."""

    sought: Sequence[tuple[str, int]]


Bound = BoundList | BoundLookup | BoundNames
