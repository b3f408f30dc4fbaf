"""The change log: what happened to the directory, in order; never rewritten, never read by a client directly."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """One write. `fields` None means the object as a whole: created, removed or restored."""

    kind: str
    object_id: str
    fields: frozenset[str] | None = None
    relation: str | None = None
    target_id: str = ""


@dataclass(slots=True)
class Touch:
    """Everything that happened to one object between two moments."""

    whole: bool = False
    fields: set[str] = field(default_factory=set)
    targets: dict[str, dict[str, None]] = field(default_factory=dict)  # relation → target ids, in order

    def concerns(self, selected: frozenset[str], relations: tuple[str, ...]) -> bool:
        """Say whether a round that selected these properties and relations would show this object."""
        return self.whole or bool(self.fields & selected) or any(name in self.targets for name in relations)


class ChangeLog:
    """An append-only list; a position is the number of changes before it."""

    def __init__(self) -> None:
        self._changes: list[LoggedChange] = []
        self._moments: list[datetime] = []

    def __len__(self) -> int:
        return len(self._changes)

    def append(self, change: LoggedChange, moment: datetime) -> None:
        """Add one change at the end; a clock that went back does not make it older than the ones before."""
        self._changes.append(change)
        self._moments.append(max(moment, self._moments[-1]) if self._moments else moment)

    def position(self, moment: datetime) -> int:
        """Return how many changes had happened by then."""
        return bisect_right(self._moments, moment)

    def touched(self, kind: str, start: int, end: int) -> dict[str, Touch]:
        """Return what changed in [start, end) by object id, the least recently first touched first."""
        found: dict[str, Touch] = {}
        for change in self._changes[start:end]:
            if change.kind != kind:
                continue
            touch = found.setdefault(change.object_id, Touch())
            if change.relation is not None:
                touch.targets.setdefault(change.relation, {})[change.target_id] = None
            elif change.fields is None:
                touch.whole = True
            else:
                touch.fields |= change.fields
        return found
