"""Runs of tasks: what happened, how far it got, what went wrong, and the log."""

from __future__ import annotations

from typing import Any

import strawberry

from schema.field.enums import described
from schema.field.registry import ANY_MEMBER, FieldKind, Record, condition, field, identifier, noun
from schema.field.relations import entries_of_run
from schema.field.resolution import computed
from schema.field.scalars import JSON, BigInt, DateTime
from schema.field.scope import own, through
from schema.limit.expected import about
from schema.list.connection import many, one
from sync.store.tables import run_log, runs
from sync.tasks.run import state
from sync.tasks.run.log import Level
from sync.tasks.run.progress import remaining_s

_r = runs.c

RunStatus = described(
    state.RunStatus,
    "TaskRunStatus",
    "Where a run stands.",
    QUEUED="Waits to be taken up.",
    RUNNING="Is being executed.",
    SUCCEEDED="Ended; everything was read and written.",
    PARTIAL="Ended; some streams, or a probe, failed; what the others read is right.",
    FAILED="Ended; nothing could be read.",
    STOPPED="Was stopped by a person.",
    NEEDS_CONFIRMATION="Waits for an administrator, because it would remove unusually much.",
)
RunPhase = described(
    state.RunPhase,
    "TaskRunPhase",
    "What a running run is doing.",
    CONNECTING="Signing in.",
    CONNECTED="Signed in.",
    SCANNING="Looking for hosts.",
    PROCESSING="Reading and writing.",
)
RunTrigger = described(
    state.Trigger,
    "TaskRunTrigger",
    "What started a run.",
    MANUAL="A person or program, by mutation.",
    SCHEDULE="The task's schedule.",
    RETRY="A retry of an earlier run.",
)
LogLevel = described(
    Level,
    "LogLevel",
    "How much a log entry matters.",
    DEBUG="Detail for finding faults.",
    INFO="What happened.",
    WARNING="Something unusual that was dealt with.",
    ERROR="Something that went wrong.",
)


@strawberry.type(description="How far one stream of a run has come.")
class StageProgress:
    stage: str = strawberry.field(
        description="`users`, `groups`, `devices`; or `deviceOwners`, `deviceUsers` where they are read apart; "
        "`hosts` of a scan."
    )
    done: int = strawberry.field(description="Objects read so far.")
    total: int | None = strawberry.field(description="Objects to read, as the directory counts them; null if unknown.")
    remaining_seconds: float | None = strawberry.field(
        description="How long the rest takes at the pace so far, as of the run's `updatedAt`; null if unknown."
    )


@strawberry.type(description="What a run did to one inventory.")
class InventoryCounts:
    inventory: str = strawberry.field(
        description="`users`, `groups`, `devices`, `assets`, `hosts` of a scan, or a relation: `memberships`, "
        "`groupOwners`, `deviceOwners`, `deviceUsers`, `managers`."
    )
    created: int = strawberry.field(description="Rows that are new.")
    updated: int = strawberry.field(description="Rows that changed.")
    unchanged: int = strawberry.field(description="Rows that were reported without a change.")
    removed: int = strawberry.field(description="Rows that were deleted.")
    restored: int = strawberry.field(description="Rows that had been deleted and came back.")
    skipped_unknown: int = strawberry.field(description="Devices that no asset matched, with `excludeUnknown`.")
    skipped_inactive: int = strawberry.field(description="Disabled devices, without `includeInactive`.")
    merged: int = strawberry.field(description="Devices, or hosts, that were matched to an asset that was there.")
    repaired: int = strawberry.field(
        description="Of these, what a full round found different although no change of it had been reported."
    )
    silent: int = strawberry.field(description="Hosts that answered an earlier scan and not this one.")


@strawberry.type(description="What one stream of a run asked of Microsoft Graph.")
class StreamRequests:
    stream: str = strawberry.field(description="The stream, named as in `progress`.")
    count: int = strawberry.field(description="Requests sent, retries included; a batch is one.")
    retries: int = strawberry.field(description="Requests that had to be sent again.")
    throttled_seconds: float = strawberry.field(description="Time waited because Graph asked the app for it.")
    resource_units: int = strawberry.field(description="Resource units charged, as far as Graph reports them.")
    bytes: BigInt = strawberry.field(description="Bytes received, as they came over the wire.")


@strawberry.type(description="What a run asked of Microsoft Graph.")
class RequestCounts:
    count: int = strawberry.field(description="Requests sent, retries included.")
    retries: int = strawberry.field(description="Requests that had to be sent again.")
    throttled_seconds: float = strawberry.field(description="Time waited because Graph asked for it.")
    resource_units: int = strawberry.field(description="Resource units charged, as far as Graph reports them.")
    bytes: BigInt = strawberry.field(description="Bytes received, as they came over the wire.")
    streams: list[StreamRequests] = strawberry.field(description="The same for each stream.", metadata=about(5))


@strawberry.type(description="Something that went wrong in a run.")
class RunError:
    code: str = strawberry.field(description="What kind of error, for programs.")
    message: str = strawberry.field(description="What happened.")
    hint: str | None = strawberry.field(description="What a person can do about it.")
    resource: str | None = strawberry.field(description="The stream it happened in; null if it was the whole run.")
    retryable: bool = strawberry.field(description="Whether trying again may help.")


@noun(run_log, "log", scope=through(run_log.c.run_id, runs), description="An entry of a run's log.")
class TaskRunLogEntry(Record):
    """An entry of a run's log; its run carries the organization."""

    id: strawberry.ID = identifier()
    at: DateTime = field(run_log.c.at, "When it happened.")
    level: LogLevel = field(run_log.c.level, "How much it matters.", enum=LogLevel)  # type: ignore[valid-type]
    code: str | None = field(run_log.c.code, "What kind of event, for programs.")
    message: str = field(run_log.c.message, "What happened.", text=True)
    facts: JSON | None = field(run_log.c.facts, "More about it.", where=False)


@noun(
    runs,
    "run",
    scope=own(runs),
    conditions={
        "error": condition(
            _r.errors, FieldKind.LIST, "What went wrong: a code, a message, a hint, a stream.", element=ANY_MEMBER
        )
    },
    description="One execution of a task.",
)
class TaskRun(Record):
    id: strawberry.ID = identifier()
    status: RunStatus = field(_r.status, "Where it stands.", enum=RunStatus)  # type: ignore[valid-type]
    phase: RunPhase | None = field(_r.phase, "What it is doing while it runs.", enum=RunPhase)  # type: ignore[valid-type]
    trigger: RunTrigger = field(_r.trigger, "What started it.", enum=RunTrigger)  # type: ignore[valid-type]
    triggered_by: str | None = field(_r.triggered_by, "The token that triggered it.", text=True)
    attempt: int = field(
        _r.attempt, "How often it was taken up; more than 1 after a restart, a long wait or a confirmation."
    )
    created_at: DateTime = field(_r.created_at, "When it was queued.")
    not_before: DateTime | None = field(
        _r.not_before, "While it is put off, because Graph asked for a long wait: when it goes on."
    )
    due_at: DateTime | None = field(
        _r.due_at, "The time of the task's schedule that it runs for; null if it was not the schedule that queued it."
    )
    stop_asked_at: DateTime | None = field(_r.stop_asked_at, "When a person asked it to stop.")
    started_at: DateTime | None = field(_r.started_at, "When it began.")
    finished_at: DateTime | None = field(_r.finished_at, "When it ended.")
    updated_at: DateTime = field(_r.updated_at, "When it last wrote something.")
    task = one("Task", "task_id", "The task it executes.", is_required=True)
    retry_of = one("TaskRun", "retry_of_id", "The run that it tries again.")
    retry_number: int = field(
        _r.retry_number, "Which retry by itself it is, from 1; 0 of a run that a person or a schedule queued."
    )
    waits_for = one(
        "TaskRun",
        "waits_for_id",
        "While it is queued: the run that it waits for, because both work on the same site or directory.",
    )
    log = many("TaskRunLogEntry", "What happened, in order.", entries_of_run)

    @computed("progress", "updated_at", description="How far each stream has come.", expected=5)
    def progress(stored: dict[str, Any], updated_at: str) -> list[StageProgress]:
        """Spell out the stored numbers."""
        return [
            StageProgress(
                stage=stage,
                done=numbers["done"],
                total=numbers["total"],
                remaining_seconds=remaining_s(numbers, updated_at),
            )
            for stage, numbers in stored.items()
        ]

    @computed("counts", description="What it did to each inventory.", expected=10)
    def counts(stored: dict[str, Any]) -> list[InventoryCounts]:
        """Spell out the stored counters; what did not happen counts 0."""
        return [inventory_counts(inventory, numbers) for inventory, numbers in sorted(stored.items())]

    @computed("requests", description="What it asked of Microsoft Graph.")
    def requests(stored: dict[str, Any]) -> RequestCounts:
        """Spell out the stored numbers."""
        streams = sorted(stored.get("streams", {}).items())
        return RequestCounts(
            **_requested(stored),
            streams=[StreamRequests(stream=name, **_requested(numbers)) for name, numbers in streams],
        )

    @computed("errors", description="What went wrong.", expected=5)
    def errors(stored: list[dict[str, Any]]) -> list[RunError]:
        """Spell out the stored errors."""
        return [RunError(**error) for error in stored]


def inventory_counts(inventory: str, numbers: dict[str, int]) -> InventoryCounts:
    """Spell out the stored counters of one inventory; what did not happen counts 0."""
    return InventoryCounts(
        inventory=inventory,
        created=numbers.get("created", 0),
        updated=numbers.get("updated", 0),
        unchanged=numbers.get("unchanged", 0),
        removed=numbers.get("removed", 0),
        restored=numbers.get("restored", 0),
        skipped_unknown=numbers.get("skippedUnknown", 0),
        skipped_inactive=numbers.get("skippedInactive", 0),
        merged=numbers.get("merged", 0),
        repaired=numbers.get("repaired", 0),
        silent=numbers.get("silent", 0),
    )


def _requested(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        "count": int(numbers.get("count", 0)),
        "retries": int(numbers.get("retries", 0)),
        "throttled_seconds": float(numbers.get("throttledSeconds", 0)),
        "resource_units": int(numbers.get("resourceUnits", 0)),
        "bytes": BigInt(int(numbers.get("bytes", 0))),
    }
