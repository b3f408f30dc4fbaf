"""Keyset cursors: a page starts after the row of its cursor, even if rows before it have changed.

A cursor holds the values of the order at that row. They are signed together with the organization, the list, the filter
and the order, so that a cursor of another list is refused. Nulls sort as the smallest value by default.
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
        field: the attribute that holds the value.
        column: the column to sort by.
        form: converts the attribute's value to that of `column`; None if they are equal.
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
        """Return the term's value in a row, whose columns are labelled by attribute."""
        value = row[self.field]
        return self.form(value) if self.form else value

    @property
    def identity(self) -> tuple[Any, ...]:
        """Values that distinguish the term from all others of the list."""
        return (self.field, self.is_descending, self.nulls_first, TEXT_FORM if self.form else None)

    def term(self) -> ColumnElement[Any]:
        """Return the ORDER BY term."""
        ordered = self.column.desc() if self.is_descending else self.column.asc()
        return ordered.nulls_first() if self.nulls_first else ordered.nulls_last()

    def equals(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row has this value."""
        return self.column.is_(None) if value is None else self.column == value

    def follows(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row comes after this value."""
        if value is None:
            return self.column.is_not(None) if self.nulls_first else false()
        behind = self._behind(value)
        return behind if self.nulls_first or not self.column_is_nullable else or_(behind, self.column.is_(None))

    def reaches(self, value: Any) -> ColumnElement[bool]:
        """Return a range that includes all rows after this value, so that an index can start there."""
        if value is None or isinstance(value, bool) or (self.column_is_nullable and not self.nulls_first):
            return true()
        return self.column <= value if self.is_descending else self.column >= value  # type: ignore[no-any-return]

    @property
    def column_is_nullable(self) -> bool:
        """Whether the column may be null; true if that is unknown."""
        return bool(getattr(self.column, "nullable", True))

    def _behind(self, value: Any) -> ColumnElement[bool]:
        if isinstance(value, bool):
            # SQLAlchemy refuses `<` on booleans: after the first of both values comes the other, after that nothing.
            return self.column.is_(not value) if value is self.is_descending else false()
        found: ColumnElement[bool] = self.column < value if self.is_descending else self.column > value
        return found


def behind(keys: Sequence[SortKey], values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a row comes after the row with these values.

    The last key is unique, so no row is skipped or repeated.
    """
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
        key: the signing key; never leaves the server.
        scope: organization, list, filter and order, in any stable form.
        width: the number of values of a cursor.
    """

    key: bytes
    scope: bytes
    width: int

    def encode(self, values: Sequence[Any]) -> str:
        """Return the cursor of the row with these values."""
        body = orjson.dumps(values)
        return _text(self._sign(body) + body)

    def decode(self, text: str, argument: str) -> list[Any]:
        """Return the values of a cursor that `encode` made for the same list.

        Raises:
            BadCursor: the text is anything else.
        """
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise _foreign(argument) from None
        signature, body = packed[:_SIGNATURE_BYTES], packed[_SIGNATURE_BYTES:]
        # Compare the texts: decoding ignores characters outside base64, and bits after the last byte.
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
        hint="A cursor is valid only with the same filter and order: start again without a cursor.",
        path=argument,
    )


@dataclass(frozen=True)
class Window:
    """The requested page of a list: `size` rows from its start, or from its end if `backwards`."""

    size: int
    backwards: bool
    # The cursor that the page follows (forwards) or precedes (backwards), and its argument.
    cursor: str | None
    argument: str


def window(first: int | None, last: int | None, after: str | None, before: str | None) -> Window:
    """Check the paging arguments.

    Raises:
        BadInput: `first` and `last` together, a size out of range, or a cursor of the other direction.
    """
    if last is None:
        if before is not None:
            raise BadInput("`before` needs `last`.", hint="Use `after` with `first`.", path="before")
        return Window(page_size(first), False, after, "after")
    if first is not None:
        raise BadInput("`first` and `last` cannot be used together.", path="last")
    if after is not None:
        raise BadInput("`after` needs `first`.", hint="Use `before` with `last`.", path="after")
    return Window(_size(last, "last"), True, before, "before")


def page_size(first: int | None) -> int:
    """Return the size of a page that is read forwards.

    Raises:
        BadInput: the size is out of range.
    """
    return _size(FIRST_DEFAULT if first is None else first, "first")


def _size(size: int, argument: str) -> int:
    if not 1 <= size <= FIRST_MAX:
        raise BadInput(f"`{argument}` must be 1 to {FIRST_MAX}; it is {size}.", path=argument)
    return size
