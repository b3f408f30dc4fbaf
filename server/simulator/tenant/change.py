"""The change log of the directory: append-only, in order of time."""

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
    """All changes of one object between two versions."""

    whole: bool = False
    fields: set[str] = field(default_factory=set)
    targets: dict[str, dict[str, None]] = field(default_factory=dict)  # relation → target ids, in order

    def concerns(self, selected: frozenset[str], relations: tuple[str, ...]) -> bool:
        """Return whether a round that selected these properties and relations shows this object."""
        return self.whole or bool(self.fields & selected) or any(name in self.targets for name in relations)


class ChangeLog:
    """An append-only list; a position is the number of changes before it."""

    def __init__(self) -> None:
        self._changes: list[LoggedChange] = []
        self._moments: list[datetime] = []

    def __len__(self) -> int:
        return len(self._changes)

    def append(self, change: LoggedChange, moment: datetime) -> None:
        """Add one change; its time is never before that of the previous change, even if the clock went back."""
        self._changes.append(change)
        self._moments.append(max(moment, self._moments[-1]) if self._moments else moment)

    def position(self, moment: datetime) -> int:
        """Return the number of changes up to a moment."""
        return bisect_right(self._moments, moment)

    def touched(self, kind: str, start: int, end: int) -> dict[str, Touch]:
        """Return the changes in [start, end) by object id, in the order of each object's first change."""
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
