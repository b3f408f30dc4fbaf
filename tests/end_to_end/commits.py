"""Commits of runs, told apart from those of what else the process does: schedules, the index, retention, alerts."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

_WRITES_RUN = re.compile(r"\b(INSERT INTO|UPDATE) (runs|directories|credentials)\b")
"""Each transaction of a run writes one of these. Nothing else in the process does while it runs."""


def disk_full() -> sqlite3.OperationalError:
    """Return what the driver raises when there is no space."""
    error = sqlite3.OperationalError("simulated")
    error.sqlite_errorname = "SQLITE_FULL"
    return error


@contextmanager
def failing_commits(fails: Callable[[int], bool]) -> Iterator[None]:
    """Fail commits of runs with a full disk while the block lasts.

    Args:
        fails: decides about a commit by its number, 1 for the first commit of a run in the block.
    """
    of_runs: set[Connection] = set()
    number = 0

    def note(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if _WRITES_RUN.search(statement):
            of_runs.add(connection)

    def commit(connection: Connection) -> None:
        nonlocal number
        if connection in of_runs:
            of_runs.discard(connection)
            number += 1
            if fails(number):
                raise disk_full()

    listeners: dict[str, Callable[..., Any]] = {
        "before_cursor_execute": note,
        "commit": commit,
        "rollback": of_runs.discard,
    }
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)
