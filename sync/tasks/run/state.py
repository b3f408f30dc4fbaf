"""The states of a run and the table of moves between them; any other move is a bug."""

from __future__ import annotations

import enum

from sync.errors import IllegalMove


class RunStatus(enum.StrEnum):
    """The status of a run."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    NEEDS_CONFIRMATION = "NEEDS_CONFIRMATION"


class RunPhase(enum.StrEnum):
    """The phase of a running run."""

    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    SCANNING = "SCANNING"
    PROCESSING = "PROCESSING"


class TaskKind(enum.StrEnum):
    """The kind of a task."""

    CONNECTOR = "CONNECTOR"
    SCAN = "SCAN"


class Trigger(enum.StrEnum):
    """What started a run."""

    MANUAL = "MANUAL"
    SCHEDULE = "SCHEDULE"
    RETRY = "RETRY"


MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.STOPPED}),
    RunStatus.RUNNING: frozenset(
        {
            # Resumed after its process ended.
            RunStatus.RUNNING,
            RunStatus.QUEUED,
            RunStatus.SUCCEEDED,
            RunStatus.PARTIAL,
            RunStatus.FAILED,
            RunStatus.STOPPED,
            RunStatus.NEEDS_CONFIRMATION,
        }
    ),
    RunStatus.NEEDS_CONFIRMATION: frozenset({RunStatus.QUEUED, RunStatus.STOPPED}),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.PARTIAL: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.STOPPED: frozenset(),
}
ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)
# Ended without success: a person can retry the run.
RETRYABLE = (RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.STOPPED)


def check_move(before: RunStatus, after: RunStatus) -> None:
    """Raise IllegalMove unless the table allows the move."""
    if after not in MOVES[before]:
        raise IllegalMove(f"A run cannot move from {before} to {after}.")
