"""The log of a run: structured rows for people, written in the transaction of the event; never a secret."""

from __future__ import annotations

import enum

from sqlalchemy import Connection, insert

from sync.clock import Clock, timestamp
from sync.events import RUN, note
from sync.store.tables import run_log


class Level(enum.StrEnum):
    """The severity of a log row."""

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
    """Add a row and notify the run's subscribers; `facts` must be JSON without secrets, links and tokens."""
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
