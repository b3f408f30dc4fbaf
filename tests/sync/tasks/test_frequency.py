"""How often a schedule comes due, as one word; the migration that filled old rows says the same."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module

import orjson
import pytest

from sync.tasks.frequency import frequency_of
from sync.tasks.schedule import Schedule, ScheduleKind, Weekday

CASES = [
    (Schedule(ScheduleKind.ONCE, moment=datetime(2026, 1, 1, tzinfo=UTC)), "ONCE"),
    (Schedule(ScheduleKind.HOURLY, every_h=1), "HOURLY"),
    (Schedule(ScheduleKind.HOURLY, every_h=6), "HOURLY"),
    (Schedule(ScheduleKind.HOURLY, every_h=24), "DAILY"),
    (Schedule(ScheduleKind.HOURLY, every_h=168), "WEEKLY"),
    (Schedule(ScheduleKind.DAILY), "DAILY"),
    (Schedule(ScheduleKind.WEEKLY, days=(Weekday.MONDAY,)), "WEEKLY"),
    (Schedule(ScheduleKind.WEEKLY, days=tuple(Weekday)), "DAILY"),
    (Schedule(ScheduleKind.MONTHLY, day=31), "MONTHLY"),
    *[
        (Schedule(ScheduleKind.CRON, cron=cron), word)
        for cron, word in (
            ("30 2 * * *", "DAILY"),
            ("30 2 * * MON-FRI", "WEEKLY"),
            ("30 2 * * 1,3", "WEEKLY"),
            ("30 2 15 * *", "MONTHLY"),
            ("30 2 L * *", "MONTHLY"),
            ("0 * * * *", "HOURLY"),
            ("0 */2 * * *", "HOURLY"),
            ("*/15 * * * *", "CONTINUOUS"),
            ("* * * * *", "CONTINUOUS"),
            ("*/15 */2 * * *", None),
            ("*/15 6-18 * * *", None),
            ("0 6,18 * * *", None),
            ("30 2 1 1 *", None),
            ("30 2 1,15 * *", None),
            ("30 2 1 * 1", None),
        )
    ],
]


@pytest.mark.parametrize(("schedule", "word"), CASES)
def test_frequency_is_the_word_that_fits_a_schedule(schedule: Schedule, word: str | None) -> None:
    """Rules that mean the same have the same word, and none is given that is not so."""
    assert frequency_of(schedule) == word
    migration = import_module("sync.store.migrations.versions.0011_frequency_of_tasks")
    assert migration._frequency(orjson.loads(orjson.dumps(schedule.stored()))) == word
