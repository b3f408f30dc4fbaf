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
_AMBIGUOUS = re.compile(r"\d{1,11} ?M", re.ASCII)
_LEAP = re.compile(r"(.*:)60((?:[.,]\d*)?(?:Z|[+-].*))", re.ASCII)
_FRACTION = re.compile(r"[.,](\d+)", re.ASCII)
# A time in the stored form: 2026-11-23T04:05:06.123Z.
STORED_CHARS = 24
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


class Finer(str):
    """A time in the stored form that was given finer than it is stored: it lies between this one and the next.

    `bound` stands there in the order of texts too, so that comparing it with stored times tells what is true.
    """

    bound: str


def bound(time: str) -> str:
    """Return what stored times are compared with."""
    return time.bound if isinstance(time, Finer) else time


def parse_time(value: Any) -> str:
    """Read an RFC 3339 time or a date (midnight UTC) into the stored form; a leap second is the one that follows.

    Raises:
        BadInput: it is neither, or lies outside the years 1 to 9999.
    """
    text = value.upper() if isinstance(value, str) else ""
    text, is_leap = (f"{found[1]}59{found[2]}", True) if (found := _LEAP.fullmatch(text)) else (text, False)
    moment = _moment(text)
    if is_leap and moment is not None:
        moment = _after_leap(moment)
    try:
        stored = "" if moment is None else timestamp(moment)
    except OverflowError:
        raise BadInput("A DateTime lies between the years 1 and 9999 in UTC.") from None
    if not stored:
        raise BadInput("A DateTime is RFC 3339 text with a time zone, such as 2026-11-23T04:05:06Z, or a date.")
    finer = (fraction[1] if (fraction := _FRACTION.search(text)) else "")[3:].rstrip("0")
    if not finer:
        return stored
    made = Finer(stored)
    # Behind the stored text, and before the next one, whose last digit differs.
    made.bound = stored + finer
    return made


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC) if _DATE.fullmatch(text) else None
    return moment


def _after_leap(moment: datetime) -> datetime | None:
    """Return the second behind a leap second, read as the one before; None where no leap second can be."""
    try:
        last = moment.astimezone(UTC)
        return last + timedelta(seconds=1) if (last.hour, last.minute) == (23, 59) else None
    except OverflowError:
        return None


def parse_duration(value: Any) -> int:
    """Read a duration, ISO 8601 (`P30D`, `PT12H`) or a number with a unit (`30d`, `2 weeks`), as seconds.

    Raises:
        BadInput: it is neither, or more than 1,000 years.
    """
    text = value.strip() if isinstance(value, str) and len(value) <= 40 else ""
    seconds = None
    if match := _ISO_DURATION.fullmatch(text):
        seconds = sum(int(number or 0) * unit for number, unit in zip(match.groups(), _ISO_UNITS_S, strict=True))
    elif _AMBIGUOUS.fullmatch(text):
        hint = 'Write "1mo" for a month, "1min" for a minute, or ISO 8601: "P1M", "PT1M".'
        raise BadInput('"M" may mean months or minutes.', hint=hint)
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
