"""Tasks: what to do, where, with which credential."""

from __future__ import annotations

import enum
from itertools import islice
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Text, and_, case, func
from strawberry.types import Info

from schema.context import Context
from schema.field.enums import described
from schema.field.registry import FieldKind, Record, condition, field, identifier, noun
from schema.field.relations import latest_run, latest_status, runs_of_task
from schema.field.resolution import Rows, computed, gathered
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.list.connection import linked, many, one
from schema.types.scan_options import ScanOptions, shown
from schema.types.schedule import Schedule, schedule_shown
from sync.clock import timestamp
from sync.errors import BadInput
from sync.store.tables import tasks
from sync.tasks.frequency import Frequency
from sync.tasks.run import state
from sync.tasks.schedule import schedule_of, times

_t = tasks.c
NEXT_RUNS_MAX = 100
COUNT = strawberry.argument(description=f"How many, 1 to {NEXT_RUNS_MAX}.")

TaskKind = described(
    state.TaskKind,
    "TaskKind",
    "What a task does.",
    CONNECTOR="Reads a directory.",
    SCAN="Looks for hosts in a network.",
)


TaskFrequency = described(
    Frequency,
    "TaskFrequency",
    "How often a task comes due.",
    ONCE="At one time.",
    HOURLY="Every hour, or every few hours.",
    DAILY="Every day.",
    WEEKLY="On some days of the week.",
    MONTHLY="On one day of each month.",
    CONTINUOUS="Every few minutes.",
)
_is_recurring = and_(_t.schedule.is_not(None), func.coalesce(func.json_extract(_t.schedule, "$.kind"), "") != "ONCE")


def _true_or_false(column: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.json(case((column, "true"), else_="false"))


# As one text, without the options that are not set.
_params = func.json_patch(
    func.coalesce(_t.scan, "{}", type_=Text()),
    func.json_object(
        *("excludeUnknown", _true_or_false(_t.exclude_unknown)),
        *("includeInactive", _true_or_false(_t.include_inactive)),
        *("fullRoundDays", _t.full_round_days),
    ),
    type_=Text(),
)


@strawberry.enum(description="What a task is doing.")
class TaskStatus(enum.Enum):
    NEW = strawberry.enum_value("NEW", description="It has never run and is not scheduled.")
    SCHEDULED = strawberry.enum_value("SCHEDULED", description="It waits for its next time.")
    ACTIVE = strawberry.enum_value("ACTIVE", description="A run of it is queued or running.")
    PAUSED = strawberry.enum_value("PAUSED", description="Its schedule is suspended.")
    IDLE = strawberry.enum_value("IDLE", description="It has run and is not scheduled.")


@noun(
    tasks,
    "task",
    scope=own(tasks),
    conditions={
        "recurring": condition(
            _is_recurring,
            FieldKind.BOOL,
            "Whether it has a schedule that comes due again and again, not once.",
            keyword="recur",
        ),
        "params": condition(
            _params, FieldKind.TEXT, "Its options as JSON: targets, excludes, ports, excludeUnknown and the like."
        ),
    },
    description="Something to do: what, where, with which credential.",
)
class Task(Record):
    id: strawberry.ID = identifier()
    name: str = field(_t.name, "The name; need not be unique.", text=True)
    description: str | None = field(_t.description, "What the task is for.", text=True)
    kind: TaskKind = field(_t.kind, "What it does.", enum=TaskKind, keyword="type")  # type: ignore[valid-type]
    exclude_unknown: bool = field(
        _t.exclude_unknown, "Whether devices are left out that no asset known from another source matches."
    )
    include_inactive: bool = field(_t.include_inactive, "Whether disabled devices become assets too.")
    full_round_days: int | None = field(
        _t.full_round_days,
        "After how many days it reads everything again; 0 is never, null is what the server is set to.",
    )
    paused: bool = field(_t.paused, "Whether its schedule is suspended.")
    hidden: bool = field(_t.hidden, "Whether it was hidden from everyday lists.")
    next_run_at: DateTime | None = field(
        _t.next_run_at,
        "When it will run next, by its schedule or as a retry; null while it is paused.",
        keyword="next_run",
        aliases=("recur_next",),
    )
    recur_frequency: TaskFrequency | None = field(  # type: ignore[valid-type]
        _t.frequency,
        "How often its schedule comes due; null without a schedule, or for a cron expression that no word fits.",
        enum=TaskFrequency,
    )
    created_by: str | None = field(_t.created_by, "The token that created it.")
    created_at: DateTime = field(_t.created_at, "When it was created.")
    updated_at: DateTime = field(_t.updated_at, "When it was last changed.")
    site = one("Site", "site_id", "The site it fills.", is_required=True)
    credential = one("Credential", "credential_id", "The credential it signs in with.")
    retry_of = one(
        "TaskRun", "retry_of_id", "The run that the next one tries again; null if the next time is the schedule's."
    )
    runs = many("TaskRun", "Its runs.", runs_of_task)

    last_run = linked("TaskRun", "Its latest run.", latest_run)

    @computed("scan", "exclude_unknown", "include_inactive", description="What a scan looks at; null of a connector.")
    def scan(stored: dict[str, Any] | None, exclude_unknown: bool, include_inactive: bool) -> ScanOptions | None:
        """Spell out the stored options."""
        return shown(stored, exclude_unknown, include_inactive)

    @gathered(latest_status, "paused", "next_run_at", description="What it is doing.")
    def status(rows: Rows, paused: bool, next_run_at: str | None) -> TaskStatus:
        """Derive the status from the schedule and the latest run."""
        if rows and rows[0]["status"] in state.ACTIVE:
            return TaskStatus.ACTIVE
        if paused:
            return TaskStatus.PAUSED
        if next_run_at is not None:
            return TaskStatus.SCHEDULED
        return TaskStatus.IDLE if rows else TaskStatus.NEW

    @computed("schedule", description="When it comes due by itself; null if it only runs when it is triggered.")
    def schedule(stored: dict[str, Any] | None) -> Schedule | None:
        """Spell out the stored schedule."""
        return schedule_shown(stored) if stored else None

    @strawberry.field(
        description="The next times it comes due, earliest first, or a planned retry; none while it is paused."
    )
    def next_runs(self, info: Info[Context, None], count: Annotated[int, COUNT] = 5) -> list[DateTime]:
        """Look ahead."""
        if not 1 <= count <= NEXT_RUNS_MAX:
            raise BadInput(f"It must be 1 to {NEXT_RUNS_MAX}; it is {count}.", path="nextRuns.count")
        row = vars(self)
        if row["retry_of_id"] is not None and row["next_run_at"] is not None:
            return [DateTime(row["next_run_at"])]
        if row["schedule"] is None or row["paused"]:
            return []
        ahead = times(schedule_of(row["schedule"]), row["key"], info.context.runtime.clock.now())
        return [DateTime(timestamp(due)) for due in islice(ahead, count)]
