"""When a task is due: calendar rules as pure functions; never asks the machine for the time.

A time that daylight saving skips is due at the end of the skipped hour. A time that it repeats is due once, the first
time. If the hour or the minute of a cron expression is `*`, each real hour counts instead. Debian's cron and the
library `cronsim` do the same.
"""

from __future__ import annotations

import enum
import hashlib
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from heapq import merge
from itertools import count, islice
from typing import Any

from cronsim import CronSim, CronSimError

from sync.clock import timestamp
from sync.errors import BadInput
from sync.tasks.cron import check_cron

EVERY_H_MAX = 24 * 366
JITTER_S_MAX = 24 * 3_600
GRACE_S_MAX = 366 * 24 * 3_600
MOMENTS = ("moment", "start", "end", "left_out_at")
LATER_FIELDS = ("left_out_at", "left_out_because")
MISSED_MAX = 100
"""The limit up to which missed times are counted; there may be half a million in a year."""
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""The range of a schedule's start; it leaves room in the calendar for zones, jitter and later times."""
OF_THE_MACHINE = re.compile(r"localtime|posixrules|Factory|(?:posix|right)/.*", re.IGNORECASE)
"""Zone names that machines have but IANA's list does not, or that name no place."""
_AT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class ScheduleKind(enum.StrEnum):
    """How a schedule repeats."""

    ONCE = "ONCE"
    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    CRON = "CRON"


class Weekday(enum.StrEnum):
    """A day of the week."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


@dataclass(frozen=True)
class Schedule:
    """When a task is due.

    Args:
        kind: decides which of the next fields are used.
        moment: ONCE: the time; None: now.
        every_h: HOURLY: hours between two times, counted from `start`.
        at: DAILY, WEEKLY, MONTHLY: the time of day, `HH:MM`, in the zone.
        days: WEEKLY: the days of the week.
        day: MONTHLY: the day of the month; in shorter months, their last day.
        cron: CRON: five fields.
        zone: the IANA name of the time zone.
        start: no time is before it.
        end: no time is after it.
        jitter_s: each time is delayed by up to so many seconds, always equally for one task and time.
        grace_s: a time missed by more seconds is skipped; None: never skipped.
        left_out_at: the latest time that was due but had no run.
        left_out_because: why it had no run.
    """

    kind: ScheduleKind
    moment: datetime | None = None
    every_h: int = 1
    at: str = "00:00"
    days: tuple[Weekday, ...] = ()
    day: int = 1
    cron: str = ""
    zone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    jitter_s: int = 0
    grace_s: int | None = None
    left_out_at: datetime | None = None
    left_out_because: str | None = None

    def stored(self) -> dict[str, Any]:
        """Return the schedule as JSON; earlier versions can read it unless a time was left out."""
        return {
            name: timestamp(value) if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value is not None or name not in LATER_FIELDS
        }


def schedule_of(stored: dict[str, Any]) -> Schedule:
    """Read a schedule that `stored` returned.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        stored = {**dict.fromkeys(LATER_FIELDS), **stored}
        moments = {name: stored[name] and datetime.fromisoformat(stored[name]) for name in MOMENTS}
        days = tuple(Weekday(day) for day in stored["days"])
        return Schedule(**{**stored, **moments, "kind": ScheduleKind(stored["kind"]), "days": days})
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _unreadable() from None


def _unreadable() -> BadInput:
    return BadInput("The stored schedule cannot be read.", hint="Set the task's schedule again.", path="schedule")


def settled(schedule: Schedule, now: datetime) -> Schedule:
    """Check a new schedule and fill in the values that depend on the present time.

    Raises:
        BadInput: a value is invalid; `path` is its place in the input.
    """
    _check(schedule)
    if schedule.kind is ScheduleKind.ONCE and schedule.moment is None:
        return replace(schedule, moment=now.replace(microsecond=now.microsecond // 1_000 * 1_000))
    if schedule.kind is ScheduleKind.HOURLY and schedule.start is None:
        return replace(schedule, start=now.replace(microsecond=0) + timedelta(hours=schedule.every_h))
    return schedule


def next_time(schedule: Schedule, seed: int, after: datetime) -> datetime | None:
    """Return the first time after a moment, in UTC; None if there is none.

    Args:
        seed: the seed of the jitter, such as the task's key.

    Raises:
        BadInput: the schedule cannot be read, or this machine no longer knows its zone.
    """
    return next(times(schedule, seed, after), None)


def times(schedule: Schedule, seed: int, after: datetime) -> Iterator[datetime]:
    """Yield the times after a moment, ascending, in UTC; usually without end."""
    if not schedule.jitter_s:
        yield from _planned(schedule, after)
        return
    # Jitter may delay a time before the moment beyond it.
    planned = _planned(schedule, after - timedelta(seconds=schedule.jitter_s))
    for time, following in _with_next(planned):
        # Never delay a time beyond the next one, so that times stay in order.
        limit_s = min(schedule.jitter_s, (following - time).total_seconds()) if following else schedule.jitter_s
        due = time + timedelta(seconds=int(_fraction(seed, time) * limit_s))
        if due > after:
            yield due


def missed(schedule: Schedule, seed: int, due: datetime, now: datetime) -> int:
    """Count the times from `due`, included, to now; at most `MISSED_MAX`."""
    later = islice(times(schedule, seed, due), MISSED_MAX - 1)
    return 1 + sum(1 for _ in _until(later, now))


def is_in_time(schedule: Schedule, seed: int, due: datetime, now: datetime) -> bool:
    """Tell whether a missed time, or a later one that was missed too, is within the grace period."""
    if schedule.grace_s is None:
        return True
    least = now - timedelta(seconds=schedule.grace_s)
    latest = due if due >= least else next_time(schedule, seed, least)
    return latest is not None and latest <= now


def _planned(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield the times after a moment, without jitter."""
    if schedule.kind is ScheduleKind.ONCE:
        if schedule.moment and schedule.moment > after:
            yield schedule.moment
        return
    if schedule.start and schedule.start > after:
        after = schedule.start - timedelta(microseconds=1)
    found = _hours(schedule, after) if schedule.kind is ScheduleKind.HOURLY else _calendar(schedule, after)
    yield from _until(found, schedule.end)


def _hours(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    start, step = schedule.start, timedelta(hours=schedule.every_h)
    if start is None:  # `settled` sets it.
        raise _unreadable()
    first = (after - start) // step + 1
    return (start + number * step for number in count(max(first, 0)))


def _calendar(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    here = after.astimezone(_zone(schedule.zone))
    last = after
    try:
        found = [CronSim(expression, here) for expression in _expressions(schedule)]
    except (CronSimError, KeyError, ValueError):
        raise _unreadable() from None
    for time in merge(*found, key=_instant):
        # Two times in a skipped hour are both due at its end; a time in a repeated hour may be over already.
        if (due := _instant(time)) > last:
            last = due
            yield due


def _instant(time: datetime) -> datetime:
    return time.astimezone(UTC)


def _expressions(schedule: Schedule) -> list[str]:
    if schedule.kind is ScheduleKind.CRON:
        return [schedule.cron]
    hour, minute = (int(part) for part in schedule.at.split(":"))
    at = f"{minute} {hour}"
    match schedule.kind:
        case ScheduleKind.WEEKLY:
            return [f"{at} * * {','.join(day[:3] for day in schedule.days)}"]
        case ScheduleKind.MONTHLY if schedule.day > 28:
            # The day in the months that have it, and the last day of the shorter months.
            shorter = {29: "2", 30: "2", 31: "2,4,6,9,11"}[schedule.day]
            return [f"{at} {schedule.day} * *", f"{at} L {shorter} *"]
        case ScheduleKind.MONTHLY:
            return [f"{at} {schedule.day} * *"]
    return [f"{at} * * *"]


def _with_next(found: Iterator[datetime]) -> Iterator[tuple[datetime, datetime | None]]:
    time = next(found, None)
    while time is not None:
        following = next(found, None)
        yield time, following
        time = following


def _until(found: Iterator[datetime], end: datetime | None) -> Iterator[datetime]:
    for time in found:
        if end is not None and time > end:
            return
        yield time


def _fraction(seed: int, time: datetime) -> float:
    """Return a number in [0, 1), always the same for one task and time, so that previews match."""
    digest = hashlib.sha256(f"{seed} {timestamp(time)}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


@lru_cache(256)
def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput("There is no such time zone.", hint="Such as Europe/Berlin or UTC.", path="zone") from None


def _check(schedule: Schedule) -> None:
    kind = schedule.kind.lower()
    if schedule.kind is ScheduleKind.ONCE:
        if schedule.start or schedule.end:
            raise BadInput("A single time has neither start nor end.", path="start" if schedule.start else "end")
    elif schedule.kind is ScheduleKind.HOURLY:
        _check_range(schedule.every_h, 1, EVERY_H_MAX, "everyHours")
    elif schedule.kind is ScheduleKind.CRON:
        check_cron(schedule.cron)
    elif not _AT.fullmatch(schedule.at):
        raise BadInput("A time of day is written HH:MM, from 00:00 to 23:59.", path=f"{kind}.at")
    if schedule.kind is ScheduleKind.WEEKLY and not schedule.days:
        raise BadInput("Name at least one day.", path="weekly.days")
    if schedule.kind is ScheduleKind.MONTHLY:
        _check_range(schedule.day, 1, 31, "monthly.day")
    _check_range(schedule.jitter_s, 0, JITTER_S_MAX, "jitterSeconds")
    if schedule.grace_s is not None:
        _check_range(schedule.grace_s, 0, GRACE_S_MAX, "graceSeconds")
    if OF_THE_MACHINE.fullmatch(schedule.zone):
        raise BadInput(
            "This time zone depends on the machine, or is no zone of a place.",
            hint="Name the zone of a place, such as Europe/Berlin, or UTC.",
            path="zone",
        )
    _zone(schedule.zone)
    for path, moment in (("once.at", schedule.moment), ("start", schedule.start)):
        if moment is not None and not FIRST <= moment < LAST:
            raise BadInput(
                f"The time must be between the years {FIRST.year} and {LAST.year}.",
                hint="Leave out start for a schedule that begins now; pause a task that should not run yet.",
                path=path,
            )
    if schedule.start and schedule.end and schedule.end < schedule.start:
        raise BadInput("The end is before the start.", path="end")


def _check_range(value: int, least: int, most: int, path: str) -> None:
    if not least <= value <= most:
        raise BadInput(f"The value must be {least} to {most:,}, not {value}.", path=path)
