"""The result of one check of `rollcall doctor`: a state, a message, and advice."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.StrEnum):
    """The state of a finding."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `advice` is set unless the state is OK."""

    check: str
    state: State
    message: str
    advice: str | None = None


def well(check: str, message: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(check, State.OK, message)


def doubtful(check: str, message: str, advice: str) -> Finding:
    """Return a warning: the server works, but this should be checked."""
    return Finding(check, State.WARN, message, advice)


def wrong(check: str, message: str, advice: str) -> Finding:
    """Return a failure: the server, or a part of it, cannot work."""
    return Finding(check, State.FAIL, message, advice)
