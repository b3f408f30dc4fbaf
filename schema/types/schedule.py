"""Schedules of tasks: as they are given, and as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from schema.field.arguments import given
from schema.field.enums import described
from schema.field.scalars import DateTime
from sync.errors import BadInput
from sync.tasks import schedule as rules

_AT = "The time of day in the zone, `HH:MM`; one that daylight saving skips comes when the skipped hour is over."
_ZONE = "The zone of times of day, by its IANA name such as `Europe/Berlin`."
_START = "Nothing comes due before."
_END = "Nothing comes due after."
_JITTER = "Each time is put off by up to so many seconds, always the same for one task and time."
_GRACE = "A time that was missed by more than so many seconds is left out; null makes up for it however late."
_EVERY = "Hours from one time to the next, counted from `start`."
_DAY = "The day of the month; the last one in months that are shorter."
_CRON = "Five fields: minute, hour, day of the month, month, day of the week."
# Field of the input → the kind it makes.
_KINDS = {
    "once": rules.ScheduleKind.ONCE,
    "every_hours": rules.ScheduleKind.HOURLY,
    "daily": rules.ScheduleKind.DAILY,
    "weekly": rules.ScheduleKind.WEEKLY,
    "monthly": rules.ScheduleKind.MONTHLY,
    "cron": rules.ScheduleKind.CRON,
}
ScheduleKind = described(
    rules.ScheduleKind,
    "ScheduleKind",
    "How a schedule repeats.",
    ONCE="Once.",
    HOURLY="Every so many hours.",
    DAILY="Every day.",
    WEEKLY="On some days of the week.",
    MONTHLY="On a day of each month.",
    CRON="As a cron expression says.",
)
Weekday = described(
    rules.Weekday,
    "Weekday",
    "A day of the week.",
    **{day: f"{day.capitalize()}." for day in rules.Weekday},
)


@strawberry.type(description="When a task comes due.")
class Schedule:
    kind: ScheduleKind = strawberry.field(description="How it repeats; fields of other kinds are null.")  # type: ignore[valid-type]
    moment: DateTime | None = strawberry.field(description="ONCE: when.")
    every_hours: int | None = strawberry.field(description=f"HOURLY: {_EVERY}")
    at: str | None = strawberry.field(description="DAILY, WEEKLY, MONTHLY: the time of day in the zone, `HH:MM`.")
    days: list[Weekday] | None = strawberry.field(description="WEEKLY: the days.")  # type: ignore[valid-type]
    day: int | None = strawberry.field(description=f"MONTHLY: {_DAY}")
    cron: str | None = strawberry.field(description=f"CRON: {_CRON}")
    zone: str = strawberry.field(description=_ZONE)
    start: DateTime | None = strawberry.field(description=_START)
    end: DateTime | None = strawberry.field(description=_END)
    jitter_seconds: int = strawberry.field(description=_JITTER)
    grace_seconds: int | None = strawberry.field(description=_GRACE)
    left_out_at: DateTime | None = strawberry.field(description="The latest time that came due and had no run.")
    left_out_because: str | None = strawberry.field(description="Why that time had no run.")


@strawberry.input(description="Once.")
class OnceInput:
    at: DateTime | None = strawberry.field(default=UNSET, description="When; at once if it is left out.")


@strawberry.input(description="Every day.")
class DailyInput:
    at: str = strawberry.field(description=_AT)


@strawberry.input(description="On some days of the week.")
class WeeklyInput:
    days: list[Weekday] = strawberry.field(description="The days, at least one.")  # type: ignore[valid-type]
    at: str = strawberry.field(description=_AT)


@strawberry.input(description="On a day of each month.")
class MonthlyInput:
    day: int = strawberry.field(description=_DAY)
    at: str = strawberry.field(description=_AT)


@strawberry.input(description="When a task comes due: exactly one of the six rules, and what holds for all of them.")
class ScheduleInput:
    once: OnceInput | None = strawberry.field(default=UNSET, description="Once.")
    every_hours: int | None = strawberry.field(
        default=UNSET, description=f"{_EVERY} Without a start the first is so many hours from now. 1 to 8,784."
    )
    daily: DailyInput | None = strawberry.field(default=UNSET, description="Every day.")
    weekly: WeeklyInput | None = strawberry.field(default=UNSET, description="On some days of the week.")
    monthly: MonthlyInput | None = strawberry.field(default=UNSET, description="On a day of each month.")
    cron: str | None = strawberry.field(default=UNSET, description=_CRON)
    zone: str = strawberry.field(default="UTC", description=_ZONE)
    start: DateTime | None = strawberry.field(default=UNSET, description=_START)
    end: DateTime | None = strawberry.field(default=UNSET, description=_END)
    jitter_seconds: int = strawberry.field(default=0, description=f"{_JITTER} 0 to {rules.JITTER_S_MAX:,}.")
    grace_seconds: int | None = strawberry.field(default=UNSET, description=_GRACE)


def schedule_given(input: ScheduleInput) -> rules.Schedule:
    """Read a schedule that was given; its values are checked when it is stored.

    Raises:
        BadInput: it has no rule, or several.
    """
    chosen = [name for name in _KINDS if given(getattr(input, name)) is not None]
    if len(chosen) != 1:
        names = ", ".join(to_camel_case(name) for name in _KINDS)
        raise BadInput(f"A schedule has exactly one rule: {names}.", path="schedule")
    return rules.Schedule(
        kind=_KINDS[chosen[0]],
        **_rule(chosen[0], getattr(input, chosen[0])),
        zone=input.zone,
        start=_moment(input.start),
        end=_moment(input.end),
        jitter_s=input.jitter_seconds,
        grace_s=given(input.grace_seconds),
    )


def _rule(name: str, rule: Any) -> dict[str, Any]:
    match name:
        case "once":
            return {"moment": _moment(rule.at)}
        case "every_hours":
            return {"every_h": rule}
        case "cron":
            return {"cron": rule}
        case "weekly":
            chosen = {day.value for day in rule.days}
            return {"at": rule.at, "days": tuple(day for day in rules.Weekday if day in chosen)}
    return dict(vars(rule))


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if given(value) is not None else None


def schedule_shown(stored: dict[str, Any]) -> Schedule:
    """Spell out a stored schedule."""
    kind = stored["kind"]

    def only(name: str, *kinds: str) -> Any:
        return stored[name] if kind in kinds else None

    return Schedule(
        kind=ScheduleKind[kind],
        moment=only("moment", "ONCE"),
        every_hours=only("every_h", "HOURLY"),
        at=only("at", "DAILY", "WEEKLY", "MONTHLY"),
        days=[Weekday[day] for day in stored["days"]] if kind == "WEEKLY" else None,
        day=only("day", "MONTHLY"),
        cron=only("cron", "CRON"),
        zone=stored["zone"],
        start=stored["start"],
        end=stored["end"],
        jitter_seconds=stored["jitter_s"],
        grace_seconds=stored["grace_s"],
        left_out_at=stored.get("left_out_at"),
        left_out_because=stored.get("left_out_because"),
    )
