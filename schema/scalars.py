"""The scalars beyond GraphQL's own; stored values already have their wire form, so going out costs nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NewType

import strawberry

from sync.clock import timestamp
from sync.errors import BadInput

DateTime = NewType("DateTime", str)
JSON = NewType("JSON", object)
BigInt = NewType("BigInt", int)
Duration = NewType("Duration", int)

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DAY_S = 86_400
# A month counts 30 days, a year 365.
_ISO_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,6})W)?(?:(\d{1,6})D)?"
    r"(?:T(?=\d)(?:(\d{1,8})H)?(?:(\d{1,9})M)?(?:(\d{1,11})S)?)?",
    re.ASCII,
)
_ISO_UNITS_S = (365 * _DAY_S, 30 * _DAY_S, 7 * _DAY_S, _DAY_S, 3600, 60, 1)
_SHORT_DURATION = re.compile(r"(\d{1,11}) ?([a-z]+)", re.ASCII)
_UNITS_S = {
    ("s", "sec", "second"): 1,
    ("m", "min", "minute"): 60,
    ("h", "hr", "hour"): 3600,
    ("d", "day"): _DAY_S,
    ("w", "wk", "week"): 7 * _DAY_S,
    ("mo", "mon", "month"): 30 * _DAY_S,
    ("y", "yr", "year"): 365 * _DAY_S,
}
_UNIT_S = {name: seconds for names, seconds in _UNITS_S.items() for name in names}
_UNIT_S |= {f"{name}s": seconds for name, seconds in _UNIT_S.items() if len(name) > 1}
# Longer ones would lead out of the calendar.
DURATION_MAX = timedelta(days=1_000 * 365)


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


def parse_duration(value: Any) -> int:
    """Read a duration, ISO 8601 (`P30D`, `PT12H`) or a number with a unit (`30d`, `2 weeks`), as seconds.

    Raises:
        BadInput: it is neither, or more than 1,000 years.
    """
    text = value.strip() if isinstance(value, str) and len(value) <= 40 else ""
    seconds = None
    if match := _ISO_DURATION.fullmatch(text):
        seconds = sum(int(number or 0) * unit for number, unit in zip(match.groups(), _ISO_UNITS_S, strict=True))
    elif (short := _SHORT_DURATION.fullmatch(text.lower())) and short[2] in _UNIT_S:
        seconds = int(short[1]) * _UNIT_S[short[2]]
    if seconds is None:
        raise BadInput('A Duration is a number with a unit, such as "30d", "12h", "2 weeks", or ISO 8601: "P30D".')
    if seconds > DURATION_MAX.total_seconds():
        raise BadInput("A Duration is at most 1,000 years.")
    return seconds


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
    Duration: strawberry.scalar(
        name="Duration",
        description="A span of time: a number with a unit from seconds to years (`30d`, `12h`, `2 weeks`, `6mo`), "
        "or ISO 8601 (`P30D`, `PT12H`). A month counts 30 days, a year 365.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339#appendix-A",
        serialize=_unchanged,
        parse_value=parse_duration,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 64 bits, as a JSON number.",
        serialize=_unchanged,
        parse_value=_parse_big_int,
    ),
}
