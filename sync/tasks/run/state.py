"""The states of a run and the one table of moves between them; any other move is a mistake in this program."""

from __future__ import annotations

import enum

from sync.errors import IllegalMove


class RunStatus(enum.StrEnum):
    """Where a run stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    NEEDS_CONFIRMATION = "NEEDS_CONFIRMATION"


class RunPhase(enum.StrEnum):
    """What a running run is doing."""

    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    SCANNING = "SCANNING"
    PROCESSING = "PROCESSING"


class TaskKind(enum.StrEnum):
    """What a task does."""

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
            # Taken up again after the process that ran it ended.
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
# Ended, but not as it should have: another run may be asked to finish the work.
RETRYABLE = (RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.STOPPED)


def check_move(before: RunStatus, after: RunStatus) -> None:
    """Raise IllegalMove unless the table allows the move."""
    if after not in MOVES[before]:
        raise IllegalMove(f"A run cannot move from {before} to {after}.")
