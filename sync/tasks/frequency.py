"""The frequency of a schedule as one word, as other products name it; equivalent rules get the same word."""

from __future__ import annotations

import enum
import re

from sync.tasks.schedule import Schedule, ScheduleKind, Weekday

_EVERY_H = {24: "DAILY", 168: "WEEKLY"}
_STEP = re.compile(r"\*(/\d+)?")


class Frequency(enum.StrEnum):
    """How often a task is due."""

    ONCE = "ONCE"
    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    CONTINUOUS = "CONTINUOUS"


def frequency_of(schedule: Schedule) -> Frequency | None:
    """Return how often a schedule is due; None for a cron expression that no word fits."""
    match schedule.kind:
        case ScheduleKind.CRON:
            return _of_cron(*schedule.cron.split())
        case ScheduleKind.HOURLY:
            return Frequency(_EVERY_H.get(schedule.every_h, "HOURLY"))
        case ScheduleKind.WEEKLY if set(schedule.days) == set(Weekday):
            return Frequency.DAILY
    return Frequency(schedule.kind.value)


def _of_cron(minute: str, hour: str, day: str, month: str, weekday: str) -> Frequency | None:
    if month != "*":
        return None
    if (day, weekday) == ("*", "*") and _STEP.fullmatch(hour):
        if minute.isdecimal():
            return Frequency.HOURLY
        return Frequency.CONTINUOUS if _STEP.fullmatch(minute) and hour == "*" else None
    if not (minute.isdecimal() and hour.isdecimal()):
        return None
    if day == "*":
        return Frequency.DAILY if weekday == "*" else Frequency.WEEKLY
    is_one_day = weekday == "*" and (day.isdecimal() or day.upper() == "L")
    return Frequency.MONTHLY if is_one_day else None
