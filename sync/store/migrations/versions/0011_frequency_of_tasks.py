"""How often the schedule of a task makes it run, as one word."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STEP = re.compile(r"\*(/\d+)?")
_DAYS = 7


def upgrade() -> None:
    """Add the column, and fill it: an installation has few tasks."""
    op.add_column("tasks", sa.Column("frequency", sa.Text(), nullable=True))
    tasks = sa.table("tasks", sa.column("id"), sa.column("schedule", sa.JSON()), sa.column("frequency"))
    connection = op.get_bind()
    for key, schedule in connection.execute(sa.select(tasks.c.id, tasks.c.schedule)).all():
        if isinstance(schedule, dict) and (found := _frequency(schedule)):
            connection.execute(sa.update(tasks).where(tasks.c.id == key).values(frequency=found))


def _frequency(schedule: dict[str, object]) -> str | None:
    kind, days = str(schedule.get("kind", "")), schedule.get("days")
    if kind == "CRON":
        fields = str(schedule.get("cron", "")).split()
        return _of_cron(*fields) if len(fields) == 5 else None
    if kind == "HOURLY":
        return {24: "DAILY", 168: "WEEKLY"}.get(schedule.get("every_h"), kind)  # type: ignore[call-overload,no-any-return]
    if kind == "WEEKLY" and isinstance(days, list) and len(set(days)) == _DAYS:
        return "DAILY"
    return kind or None


def _of_cron(minute: str, hour: str, day: str, month: str, weekday: str) -> str | None:
    if month != "*":
        return None
    if (day, weekday) == ("*", "*") and _STEP.fullmatch(hour):
        if minute.isdecimal():
            return "HOURLY"
        return "CONTINUOUS" if _STEP.fullmatch(minute) and hour == "*" else None
    if not (minute.isdecimal() and hour.isdecimal()):
        return None
    if day == "*":
        return "DAILY" if weekday == "*" else "WEEKLY"
    return "MONTHLY" if weekday == "*" and (day.isdecimal() or day.upper() == "L") else None
