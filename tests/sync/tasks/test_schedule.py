"""Schedules against a plain calendar: day by day, written without the library that the product uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.errors import BadInput
from sync.tasks.schedule import (
    MISSED_MAX,
    Schedule,
    ScheduleKind,
    Weekday,
    is_in_time,
    missed,
    next_time,
    schedule_of,
    settled,
    times,
)

# Ten thousand days: 27 years with two changes of the clock each.
START = datetime(2025, 12, 31, 12, tzinfo=UTC)
DAYS = 10_000
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"]
ATS = ["00:00", "02:30", "03:00", "23:59"]


def local(day: date, at: str, zone: str) -> datetime:
    """Return the moment of a time of day: the first of two, and the end of the gap for one that is skipped."""
    here = ZoneInfo(zone)
    moment = datetime.combine(day, time.fromisoformat(at))
    while moment.replace(tzinfo=here).astimezone(UTC).astimezone(here).replace(tzinfo=None) != moment:
        moment += timedelta(minutes=1)
    return moment.replace(tzinfo=here).astimezone(UTC)


def days() -> Iterator[date]:
    """Yield the days that are looked at, and one more on either side."""
    return (START.date() + timedelta(days=number) for number in range(-1, DAYS + 1))


def expected(schedule: Schedule, is_due: Any) -> list[datetime]:
    """List the times after START on the days that are due."""
    found = [local(day, schedule.at, schedule.zone) for day in days() if is_due(day)]
    return [moment for moment in found if START < moment < START + timedelta(days=DAYS - 1)]


def found(schedule: Schedule) -> list[datetime]:
    """List the times that the product computes, each asked for from the one before as a ticker does."""
    moments, after = [], START
    while (due := next_time(schedule, 1, after)) and due < START + timedelta(days=DAYS - 1):
        moments.append(due)
        after = due
    return moments


@pytest.mark.slow(cases=(1, 12))
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("at", ATS)
def test_daily_schedule_comes_due_once_on_each_of_ten_thousand_days(zone: str, at: str) -> None:
    """Whatever daylight saving does, every local day has its one time, and none is earlier than asked for."""
    schedule = Schedule(ScheduleKind.DAILY, at=at, zone=zone)
    moments = list(takewhile(lambda due: due < START + timedelta(days=DAYS - 1), times(schedule, 1, START)))
    assert moments == expected(schedule, lambda day: True)
    assert len(moments) >= DAYS - 2


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_daily_schedule_is_the_same_when_each_time_is_asked_for_anew(zone: str) -> None:
    """A ticker that goes from one time to the next sees the list that one look ahead shows."""
    schedule = Schedule(ScheduleKind.DAILY, at="02:30", zone=zone)
    assert found(schedule) == expected(schedule, lambda day: True)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("chosen", [(Weekday.SUNDAY,), (Weekday.MONDAY, Weekday.FRIDAY), tuple(Weekday)], ids=len)
def test_weekly_schedule_comes_due_on_its_days(chosen: tuple[Weekday, ...]) -> None:
    """Sunday is the day on which Europe changes its clocks."""
    schedule = Schedule(ScheduleKind.WEEKLY, at="02:30", days=chosen, zone="Europe/Berlin")
    numbers = {list(Weekday).index(day) for day in chosen}
    assert found(schedule) == expected(schedule, lambda day: day.weekday() in numbers)


@pytest.mark.parametrize("number", [1, 28, 29, 30, 31])
def test_monthly_schedule_comes_due_in_every_month(number: int) -> None:
    """In a month that is shorter it is the last day, leap years included."""

    def is_due(day: date) -> bool:
        last = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        return day.day == min(number, last.day)

    schedule = Schedule(ScheduleKind.MONTHLY, at="02:30", day=number, zone="Europe/Berlin")
    assert found(schedule) == expected(schedule, is_due)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("every", [1, 5, 24, 100])
def test_hourly_schedule_keeps_its_distance_when_clocks_change(every: int) -> None:
    """Hours are real hours from the start on, which is the first time itself."""
    start = START + timedelta(days=3, minutes=7)
    schedule = Schedule(ScheduleKind.HOURLY, every_h=every, start=start, zone="Europe/Berlin")
    moments = found(schedule)
    assert moments[0] == start
    assert {later - sooner for sooner, later in pairwise(moments)} == {timedelta(hours=every)}


def test_cron_schedule_every_quarter_of_an_hour_follows_real_time() -> None:
    """A wildcard counts minutes as they pass: also twice through the hour that is repeated."""
    schedule = Schedule(ScheduleKind.CRON, cron="*/15 * * * *", zone="Europe/Berlin")
    autumn = datetime(2026, 10, 24, 22, tzinfo=UTC)
    moments = list(islice(times(schedule, 1, autumn), 40))
    assert moments == [autumn + timedelta(minutes=15 * number) for number in range(1, 41)]


@pytest.mark.slow(cases=6)
@pytest.mark.parametrize("shift_s", [0, 1, 59, 3_599])
@pytest.mark.parametrize("kind", ScheduleKind)
def test_next_time_is_the_first_after_any_moment(kind: ScheduleKind, shift_s: int) -> None:
    """From each moment, between two times or on one, in and around the hours that clocks change."""
    schedule = Schedule(
        kind, moment=START + timedelta(days=100), days=(Weekday.SUNDAY,), at="02:30", day=31, every_h=7,
        start=None if kind is ScheduleKind.ONCE else START, cron="0,30 2,3 * * *", zone="Europe/Berlin",
    )  # fmt: skip
    known = list(islice(times(schedule, 1, START), 1_500))
    for day in (date(2026, 3, 28), date(2026, 10, 24)):
        for half_hour in range(96):
            after = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
                minutes=30 * half_hour, seconds=shift_s
            )
            assert next_time(schedule, 1, after) == next((due for due in known if due > after), None)


@pytest.mark.parametrize("jitter_s", [1, 600, 86_400])
@pytest.mark.parametrize("seed", [1, 2])
def test_jitter_keeps_the_order_and_its_bounds(jitter_s: int, seed: int) -> None:
    """Each time is put off by less than the jitter and never as far as the next, the same whenever one asks."""
    plain = Schedule(ScheduleKind.CRON, cron="0 */3 * * *", zone="Europe/Berlin")
    schedule = replace(plain, jitter_s=jitter_s)
    before = START - timedelta(days=2)
    put_off = list(islice(times(schedule, seed, before), 300))
    planned = list(islice(times(plain, seed, before - timedelta(seconds=jitter_s)), 340))
    for due in put_off:
        since = max(time for time in planned if time <= due)
        assert (due - since).total_seconds() < max(jitter_s, 1)
    assert put_off == sorted(set(put_off))
    for earlier, later in pairwise(put_off):
        assert next_time(schedule, seed, earlier) == later
        assert next_time(schedule, seed, later - timedelta(seconds=1)) == later


def test_jitter_spreads_tasks_of_one_schedule() -> None:
    """A hundred tasks at midnight do not begin in the same minute."""
    schedule = Schedule(ScheduleKind.DAILY, jitter_s=3_600)
    begun = {next_time(schedule, seed, START) for seed in range(100)}
    assert len(begun) > 90


def test_start_and_end_are_the_first_and_the_last_moment() -> None:
    """Both are included."""
    first, last = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC)
    schedule = Schedule(ScheduleKind.DAILY, start=first, end=last)
    assert list(times(schedule, 1, START)) == [first + timedelta(days=number) for number in range(5)]


def test_missed_times_are_counted_up_to_a_bound() -> None:
    """One, some, and more than anybody wants to count."""
    schedule = Schedule(ScheduleKind.CRON, cron="* * * * *")
    due = START + timedelta(minutes=1)
    for minutes, number in ((1, 1), (1.5, 1), (5, 5), (600, MISSED_MAX)):
        assert missed(schedule, 1, due, START + timedelta(minutes=minutes)) == number


def test_grace_lets_a_later_missed_time_count() -> None:
    """What is too long ago is left out, unless another time was missed since that is not."""
    schedule = Schedule(ScheduleKind.DAILY, grace_s=3_600)
    due = datetime(2026, 1, 1, tzinfo=UTC)
    for hours, in_time in ((0, True), (1, True), (1.01, False), (23, False), (24.5, True), (26, False)):
        assert is_in_time(schedule, 1, due, due + timedelta(hours=hours)) is in_time
    assert is_in_time(replace(schedule, grace_s=None), 1, due, due + timedelta(days=365))


@pytest.mark.parametrize("kind", ScheduleKind)
def test_schedule_is_the_same_after_it_was_stored(kind: ScheduleKind) -> None:
    """What is written as JSON reads back as what it was."""
    schedule = Schedule(kind, START, 3, "04:05", (Weekday.MONDAY,), 7, "1 2 * * *", "Asia/Tokyo", START, START, 5, 6)
    assert schedule_of(schedule.stored()) == schedule


def test_what_depends_on_the_moment_is_settled_when_the_schedule_is_made() -> None:
    """Once without a time is now; hours without a start are counted from now, and the first is still to come."""
    once = settled(Schedule(ScheduleKind.ONCE), START)
    assert once.moment == START and next_time(once, 1, START - timedelta(milliseconds=1)) == START
    hourly = settled(Schedule(ScheduleKind.HOURLY, every_h=6), START)
    assert next_time(hourly, 1, START) == START + timedelta(hours=6)


@pytest.mark.parametrize(
    ("kind", "fields", "path"),
    [
        ("ONCE", {"start": START}, "start"),
        ("ONCE", {"end": START}, "end"),
        ("HOURLY", {"every_h": 0}, "everyHours"),
        ("HOURLY", {"every_h": 8_785}, "everyHours"),
        ("DAILY", {"at": "24:00"}, "daily.at"),
        ("DAILY", {"at": "2:30"}, "daily.at"),
        ("WEEKLY", {"days": ()}, "weekly.days"),
        ("WEEKLY", {"days": (Weekday.MONDAY,), "at": "02:60"}, "weekly.at"),
        ("MONTHLY", {"day": 0}, "monthly.day"),
        ("MONTHLY", {"day": 32}, "monthly.day"),
        *(
            (kind, {"start": moment, "jitter_s": jitter}, "start")
            for kind in ("HOURLY", "DAILY", "MONTHLY")
            for moment in (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC))
            for jitter in (0, 60)
        ),
        ("ONCE", {"moment": datetime.max.replace(tzinfo=UTC), "jitter_s": 60}, "once.at"),
        *(
            ("DAILY", {"zone": zone}, "zone")
            for zone in ("localtime", "posixrules", "Factory", "posix/Europe/Berlin", "right/UTC", "../UTC", "")
        ),
        ("CRON", {"cron": "* * * *"}, "cron"),
        ("CRON", {"cron": "* * * * * *"}, "cron"),
        ("CRON", {"cron": "61 * * * *"}, "cron"),
        ("CRON", {"cron": "0 0 30 2 *"}, "cron"),
        ("CRON", {"cron": "0 0 * * " + ",".join(["1"] * 60)}, "cron"),
        ("DAILY", {"zone": "Mars/Olympus"}, "zone"),
        ("DAILY", {"zone": "../etc/passwd"}, "zone"),
        ("DAILY", {"zone": ""}, "zone"),
        ("DAILY", {"jitter_s": -1}, "jitterSeconds"),
        ("DAILY", {"jitter_s": 86_401}, "jitterSeconds"),
        ("DAILY", {"grace_s": -1}, "graceSeconds"),
        ("DAILY", {"start": START, "end": START - timedelta(days=1)}, "end"),
    ],
    ids=str,
)
def test_schedule_is_refused_when_a_value_cannot_be_used(kind: str, fields: dict[str, Any], path: str) -> None:
    """Each mistake names its place in the input."""
    with pytest.raises(BadInput) as caught:
        settled(Schedule(ScheduleKind(kind), **fields), START)
    assert caught.value.facts["path"] == path


CRONS = {
    "": ("0", "five fields", "minute, hour"),
    "daily": ("1", "five fields", "minute, hour"),
    "@daily": ("@", "not supported", "0 0 * * *"),
    "@HOURLY": ("@", "not supported", "0 * * * *"),
    "@reboot": ("@", "not supported", "30 2 * * MON-FRI"),
    "* * * *": ("4", "five fields", "minute, hour"),
    "0 30 2 * * *": ("6", "five fields", "seconds"),
    "60 * * * *": ("minute", "field 1", "0 to 59"),
    "0 24 * * *": ("hour", "field 2", "0 to 23"),
    "0 2 0 * *": ("day of the month", "field 3", "1 to 31"),
    "0 2 * 13 *": ("month", "field 4", "JAN to DEC"),
    "0 2 * * MONDAY": ("day of the week", "field 5", "SUN to SAT"),
    "0 2 * * 8": ("day of the week", "field 5", "Sunday"),
    "*/0 * * * *": ("minute", "field 1", "a step"),
    "0 5-1 * * *": ("hour", "field 2", "a range"),
    "0 0 31 2 *": ("no month", "day", "L 2"),
}


@pytest.mark.parametrize("expression", CRONS)
def test_cron_expression_is_refused_with_the_field_and_what_fits_there(expression: str) -> None:
    """What is wrong stands in the message, what to write in the hint."""
    with pytest.raises(BadInput) as caught:
        settled(Schedule(ScheduleKind.CRON, cron=expression), START)
    what, where, how = CRONS[expression]
    assert what in caught.value.message and where in caught.value.message
    assert how in str(caught.value.hint)


def test_cron_schedule_with_star_hours_follows_real_hours_when_the_clock_changes() -> None:
    """As docs/tasks.md says of Berlin: no 02:00 in March, 02:00 twice in October."""
    schedule, berlin = Schedule(ScheduleKind.CRON, cron="0 */2 * * *", zone="Europe/Berlin"), ZoneInfo("Europe/Berlin")
    march = islice(times(schedule, 1, datetime(2026, 3, 28, 22, 59, tzinfo=UTC)), 3)
    assert [time.astimezone(berlin).hour for time in march] == [0, 4, 6]
    october = islice(times(schedule, 1, datetime(2026, 10, 24, 21, 59, tzinfo=UTC)), 4)
    assert [time.astimezone(berlin).hour for time in october] == [0, 2, 2, 4]


@pytest.mark.parametrize("year", [1970, 8999])
@pytest.mark.parametrize("kind", [kind for kind in ScheduleKind if kind is not ScheduleKind.ONCE])
def test_schedule_comes_due_when_it_begins_at_either_end_of_what_is_allowed(kind: ScheduleKind, year: int) -> None:
    """No arithmetic leaves the calendar, jitter and zones included."""
    start = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    given = Schedule(
        kind,
        start=start,
        zone="Pacific/Kiritimati",
        cron="5 4 * * *",
        days=(Weekday.MONDAY,),
        jitter_s=86_400,
        every_h=8_784,
    )
    assert len(list(islice(times(settled(given, START), 1, START), 3))) == 3
