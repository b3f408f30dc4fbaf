"""The log of a run: structured rows for people, written in the transaction of what they tell; never a secret."""

from __future__ import annotations

import enum

from sqlalchemy import Connection, insert

from sync.clock import Clock, timestamp
from sync.events import RUN, note
from sync.store.tables import run_log


class Level(enum.StrEnum):
    """How much a log row matters."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def write_log(
    tx: Connection,
    clock: Clock,
    run_id: int,
    level: Level,
    message: str,
    *,
    code: str | None = None,
    facts: dict[str, object] | None = None,
) -> None:
    """Add a row and tell those who watch the run; `facts` must be JSON and free of secrets, links and tokens."""
    values = {
        "run_id": run_id,
        "at": timestamp(clock.now()),
        "level": level,
        "code": code,
        "message": message,
        "facts": facts,
    }
    tx.execute(insert(run_log).values(values))
    note(tx, RUN, run_id)
