"""Keyset cursors: a page starts behind the row its cursor names, however many rows came before or changed since.

A cursor is the order's values at that row, signed together with what it belongs to: organization, list, filter and
order. One from elsewhere is refused, never misread. Nulls sort as the smallest value unless asked otherwise.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, RowMapping, and_, false, or_, true

from sync.errors import BadCursor, BadInput
from sync.store.statement.function import TEXT_FORM

FIRST_DEFAULT = 50
FIRST_MAX = 1_000
_SIGNATURE_BYTES = 16


@dataclass(frozen=True)
class SortKey:
    """One term of an order.

    Args:
        field: the attribute that its value is read from.
        column: what rows are sorted by.
        form: makes that value of the attribute's; None if it is the attribute's.
    """

    field: str
    column: ColumnElement[Any]
    is_descending: bool
    nulls_first: bool
    form: Callable[[Any], Any] | None = None

    def turned(self) -> SortKey:
        """Return the key of the opposite order."""
        return SortKey(self.field, self.column, not self.is_descending, not self.nulls_first, self.form)

    def value_of(self, row: RowMapping) -> Any:
        """Return the value of a row, whose columns are known by attribute."""
        value = row[self.field]
        return self.form(value) if self.form else value

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells it from any other term of the list."""
        return (self.field, self.is_descending, self.nulls_first, TEXT_FORM if self.form else None)

    def term(self) -> ColumnElement[Any]:
        """Return the ORDER BY term."""
        ordered = self.column.desc() if self.is_descending else self.column.asc()
        return ordered.nulls_first() if self.nulls_first else ordered.nulls_last()

    def equals(self, value: Any) -> ColumnElement[bool]:
        """Compile "as far as this key goes, the same place"."""
        return self.column.is_(None) if value is None else self.column == value

    def follows(self, value: Any) -> ColumnElement[bool]:
        """Compile "behind this value"."""
        if value is None:
            return self.column.is_not(None) if self.nulls_first else false()
        behind = self._behind(value)
        return behind if self.nulls_first or not self.column_is_nullable else or_(behind, self.column.is_(None))

    def reaches(self, value: Any) -> ColumnElement[bool]:
        """Compile a range that holds all that is behind this value: what an index can begin at."""
        if value is None or isinstance(value, bool) or (self.column_is_nullable and not self.nulls_first):
            return true()
        return self.column <= value if self.is_descending else self.column >= value  # type: ignore[no-any-return]

    @property
    def column_is_nullable(self) -> bool:
        """Whether a row may have no value here; unknown counts as yes."""
        return bool(getattr(self.column, "nullable", True))

    def _behind(self, value: Any) -> ColumnElement[bool]:
        if isinstance(value, bool):
            # SQLAlchemy refuses to order booleans: false comes before true, and nothing behind the last of the two.
            return self.column.is_(not value) if value is self.is_descending else false()
        found: ColumnElement[bool] = self.column < value if self.is_descending else self.column > value
        return found


def behind(keys: Sequence[SortKey], values: Sequence[Any]) -> ColumnElement[bool]:
    """Compile "behind the row with these values"; the last key is unique, so no row is skipped or repeated."""
    cases: list[ColumnElement[bool]] = []
    same: ColumnElement[bool] = true()
    for key, value in zip(keys, values, strict=True):
        cases.append(and_(same, key.follows(value)))
        same = and_(same, key.equals(value))
    return and_(keys[0].reaches(values[0]), or_(*cases))


@dataclass(frozen=True)
class CursorCodec:
    """Writes and reads the cursors of one list.

    Args:
        key: signs; never leaves the server.
        scope: organization, list, filter and order, in any stable form.
        width: how many values a cursor holds.
    """

    key: bytes
    scope: bytes
    width: int

    def encode(self, values: Sequence[Any]) -> str:
        """Make the cursor of the row with these values."""
        body = orjson.dumps(values)
        return _text(self._sign(body) + body)

    def decode(self, text: str, argument: str) -> list[Any]:
        """Read a cursor that `encode` made for the same list.

        Raises:
            BadCursor: it is anything else.
        """
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise _foreign(argument) from None
        signature, body = packed[:_SIGNATURE_BYTES], packed[_SIGNATURE_BYTES:]
        # Decoding passes over characters that are not base64, and over bits behind the last byte.
        if _text(packed) != text or not hmac.compare_digest(signature, self._sign(body)):
            raise _foreign(argument)
        values = orjson.loads(body)
        if len(values) != self.width:
            raise _foreign(argument)
        return list(values)

    def _sign(self, body: bytes) -> bytes:
        scope = len(self.scope).to_bytes(4) + self.scope
        return hmac.digest(self.key, scope + body, "sha256")[:_SIGNATURE_BYTES]


def _text(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _foreign(argument: str) -> BadCursor:
    return BadCursor(
        f"The cursor in `{argument}` does not belong to this list.",
        hint="A cursor is valid only with the filter and the order it came from: start without one.",
        path=argument,
    )


@dataclass(frozen=True)
class Window:
    """Which page of a list is asked for: `size` rows from its start, or from its end when `backwards`."""

    size: int
    backwards: bool
    # The cursor the page lies behind (forwards) or before (backwards), and the argument it came in.
    cursor: str | None
    argument: str


def window(first: int | None, last: int | None, after: str | None, before: str | None) -> Window:
    """Check the paging arguments.

    Raises:
        BadInput: `first` and `last` together, a size out of range, or a cursor of the other direction.
    """
    if last is None:
        if before is not None:
            raise BadInput("`before` goes with `last`.", hint="Use `after` with `first`.", path="before")
        return Window(page_size(first), False, after, "after")
    if first is not None:
        raise BadInput("`first` and `last` exclude each other.", path="last")
    if after is not None:
        raise BadInput("`after` goes with `first`.", hint="Use `before` with `last`.", path="after")
    return Window(_size(last, "last"), True, before, "before")


def page_size(first: int | None) -> int:
    """Return how many rows a page has whose list is only read forwards.

    Raises:
        BadInput: it is out of range.
    """
    return _size(FIRST_DEFAULT if first is None else first, "first")


def _size(size: int, argument: str) -> int:
    if not 1 <= size <= FIRST_MAX:
        raise BadInput(f"`{argument}` must be 1 to {FIRST_MAX}; it is {size}.", path=argument)
    return size
