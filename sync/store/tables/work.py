"""Tasks, their runs, and the runs' logs."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Text, UniqueConstraint, text

from sync.store.tables.column import Json, Key, Time, refers
from sync.store.tables.declare import entity, stamps

tasks = entity(
    "tasks",
    refers("organization_id", "organizations"),
    refers("site_id", "sites"),
    refers("credential_id", "credentials", nullable=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("kind", Text, nullable=False),
    Column("exclude_unknown", Boolean, nullable=False),
    Column("include_inactive", Boolean, nullable=False),
    # Days between full rounds; null: the server's setting, 0: never.
    Column("full_round_days", Integer),
    # The options of a scan task (sync/scan/options.py).
    Column("scan", Json),
    # The rule, as sync/tasks/schedule.py writes it, and when it is due next; null while the task is paused.
    Column("schedule", Json),
    Column("next_run_at", Time),
    # How often the schedule is due (sync/tasks/frequency.py); null without a schedule, or if no word fits it.
    Column("frequency", Text),
    # The run that is retried at next_run_at; null if that time is the schedule's.
    Column("retry_of_id", Key),
    Column("paused", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("created_by", Text),
    *stamps(),
    Index(None, "organization_id", "name"),
    Index(None, "next_run_at"),
)

runs = entity(
    "runs",
    refers("organization_id", "organizations"),
    refers("task_id", "tasks"),
    Column("status", Text, nullable=False),
    Column("phase", Text),
    Column("trigger", Text, nullable=False),
    Column("triggered_by", Text),
    Column("attempt", Integer, nullable=False),
    # The token of the worker that owns the run; a worker with another token has lost its claim and must not write.
    Column("owner", Text),
    # Whether a full read was requested.
    Column("full", Boolean, nullable=False, server_default=text("0")),
    # The earliest start, while the run is postponed.
    Column("not_before", Time),
    # When a person asked the run to stop.
    Column("stop_asked_at", Time),
    # The scheduled time that it runs for, or the run that it retries.
    Column("due_at", Time),
    refers("retry_of_id", "runs", nullable=True, ondelete="SET NULL"),
    # The number of the automatic retry; 0 for a run that a person or a schedule queued.
    Column("retry_number", Integer, nullable=False, server_default=text("0")),
    # While queued: the run to wait for, because both work on the same site or directory.
    Column("waits_for_id", Key),
    Column("started_at", Time),
    Column("finished_at", Time),
    # {kind: {rows, of, confirmed}}: sweeps that were held back, and those that an administrator confirmed.
    Column("removals", Json),
    # {stage: {done, total}}, {inventory: {created, updated, ...}}, {count, ..., streams}, [{code, message, ...}]
    Column("progress", Json, nullable=False),
    Column("counts", Json, nullable=False),
    Column("requests", Json, nullable=False),
    Column("errors", Json, nullable=False),
    *stamps(),
    # One run for each scheduled time, however many processes check the schedule.
    UniqueConstraint("task_id", "due_at"),
    Index(None, "organization_id", "created_at"),
    Index(None, "task_id", "created_at"),
    Index(None, "retry_of_id"),
    Index(None, "status"),
)

run_log = entity(
    "run_log",
    refers("run_id", "runs", ondelete="CASCADE"),
    Column("at", Time, nullable=False),
    Column("level", Text, nullable=False),
    Column("code", Text),
    Column("message", Text, nullable=False),
    Column("facts", Json),
    Index(None, "run_id", "at"),
)
