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
    # After how many days everything is read again; null is what the server is set to, 0 never.
    Column("full_round_days", Integer),
    # The options of a scan task (sync/scan/options.py).
    Column("scan", Json),
    # The rule, as sync/tasks/schedule.py writes it, and the next time it comes due: none while it is paused.
    Column("schedule", Json),
    Column("next_run_at", Time),
    # How often that is (sync/tasks/frequency.py); none without a schedule, or where no word fits it.
    Column("frequency", Text),
    # The run that is tried again at that time; null when it is the schedule's.
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
    # The token of the worker that may write; a worker with another token has lost its claim.
    Column("owner", Text),
    # Whether it was asked to read everything.
    Column("full", Boolean, nullable=False, server_default=text("0")),
    # Set while the run is put off: not to be taken up sooner.
    Column("not_before", Time),
    # When a person asked the running run to stop.
    Column("stop_asked_at", Time),
    # The time of the schedule that it runs for, or the run that it tries again.
    Column("due_at", Time),
    refers("retry_of_id", "runs", nullable=True, ondelete="SET NULL"),
    # Which retry by itself it is; 0 of a run that a person or a schedule queued.
    Column("retry_number", Integer, nullable=False, server_default=text("0")),
    # While it is queued: the run that it waits for, because both would work on the same site or directory.
    Column("waits_for_id", Key),
    Column("started_at", Time),
    Column("finished_at", Time),
    # {kind: {rows, of, confirmed}}: sweeps that were held, and what an administrator has let pass.
    Column("removals", Json),
    # {stage: {done, total}}, {inventory: {created, updated, ...}}, {count, ..., streams}, [{code, message, ...}]
    Column("progress", Json, nullable=False),
    Column("counts", Json, nullable=False),
    Column("requests", Json, nullable=False),
    Column("errors", Json, nullable=False),
    *stamps(),
    # However many processes watch the clock, one run for each time.
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
