"""The result of one check of `rollcall doctor`: a state, one sentence, and what to do about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.StrEnum):
    """How something stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line; `advice` is set unless all is well."""

    check: str
    state: State
    message: str
    advice: str | None = None


def well(check: str, message: str) -> Finding:
    """Note that something is as it should be."""
    return Finding(check, State.OK, message)


def doubtful(check: str, message: str, advice: str) -> Finding:
    """Note what works, but should be looked at."""
    return Finding(check, State.WARN, message, advice)


def wrong(check: str, message: str, advice: str) -> Finding:
    """Note what keeps the server, or a part of it, from working."""
    return Finding(check, State.FAIL, message, advice)
