"""The scalars beyond GraphQL's own; stored values already have their wire form, so going out costs nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NewType

import strawberry

from sync.clock import timestamp
from sync.errors import BadInput

DateTime = NewType("DateTime", str)
JSON = NewType("JSON", object)
BigInt = NewType("BigInt", int)

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def parse_time(value: Any) -> str:
    """Read an RFC 3339 time or a date (midnight UTC) into the stored form.

    Raises:
        BadInput: it is neither, or lies outside the years 1 to 9999.
    """
    text = value if isinstance(value, str) else ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or (moment.tzinfo is None and not _DATE.fullmatch(text)):
        raise BadInput("A DateTime is RFC 3339 text with a time zone, such as 2026-11-23T04:05:06Z, or a date.")
    try:
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except OverflowError:
        raise BadInput("A DateTime lies between the years 1 and 9999 in UTC.") from None


def _unchanged(value: Any) -> Any:
    return value


def _parse_big_int(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise BadInput("A BigInt is a whole number of at most 64 bits.")
    return value


SCALARS: dict[object, Any] = {
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A moment in UTC, RFC 3339 with milliseconds: `2026-11-23T04:05:06.123Z`. "
        "Input may use any offset; a bare date means midnight UTC.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339",
        serialize=_unchanged,
        parse_value=parse_time,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://ecma-international.org/publications-and-standards/standards/ecma-404/",
        serialize=_unchanged,
        parse_value=_unchanged,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 64 bits, as a JSON number.",
        serialize=_unchanged,
        parse_value=_parse_big_int,
    ),
}
