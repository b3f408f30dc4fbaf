"""One level of a plan while it runs: rows of one noun, what hangs on them, and what they become."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import ColumnElement

from schema.plan.statement import Row, Statement
from schema.select import keys_text
from sync.clock import timestamp
from sync.store.digits import read_json

if TYPE_CHECKING:
    from schema.plan.page import Bound


@dataclass(slots=True)
class Run:
    """One run of a plan: everything that differs from the next.

    Args:
        connection: inside a read transaction.
        organization: the caller's.
        bounds: what the arguments of each list and look-up mean, by slot.
        cursor_key: signs cursors.
        now: the time that relative times count from.
        is_timed: some statement has asked for it.
    """

    connection: sqlite3.Connection
    organization: int
    bounds: Sequence[Bound]
    cursor_key: bytes
    now: datetime
    is_timed: bool = False

    def rows(self, statement: Statement, **given: Any) -> list[Row]:
        """Run a statement as the caller."""
        given["organization"] = self.organization
        if statement.moments:
            self.is_timed = True
            given |= {name: timestamp(self.now + timedelta(seconds=s)) for name, s in statement.moments.items()}
        return statement.rows(self.connection, given)


class Relation(Protocol):
    """What hangs on the rows of a level, read for all of them at once."""

    def load(self, run: Run, rows: Sequence[Row]) -> Mapping[Any, Any]:
        """Return key → value, by the key that the level's expression looks up."""


@dataclass
class Columns:
    """What a level reads, in order; grows while the selections on its rows are compiled.

    Args:
        offset: columns that stand before these in a row.
    """

    offset: int = 0
    entries: list[ColumnElement[Any]] = field(default_factory=list)

    def index(self, column: ColumnElement[Any]) -> int:
        """Return where in a row a column stands, reading it from now on."""
        for number, entry in enumerate(self.entries):
            if entry is column:
                return number + self.offset
        self.entries.append(column)
        return len(self.entries) - 1 + self.offset

    @property
    def width(self) -> int:
        """How many columns a row has."""
        return self.offset + len(self.entries)


@dataclass(slots=True)
class View:
    """What one selection makes of a level's rows; `make` is generated when the level's columns are all known.

    `text` is the column that holds the whole of it as JSON, if the database writes it.
    """

    relations: list[Relation] = field(default_factory=list)
    text: ColumnElement[str] | None = None
    make: Callable[..., list[Any]] = list

    def show(self, run: Run, rows: Sequence[Row]) -> list[Any]:
        """Return the value of each row."""
        if not rows:
            return []
        return self.make(rows, *[relation.load(run, rows) for relation in self.relations])


class Shows(Protocol):
    """What makes values of rows."""

    def show(self, run: Run, rows: Sequence[Row]) -> list[Any]:
        """Return the value of each row."""


@dataclass(frozen=True, slots=True)
class OneRelation:
    """Rows by key: the key stands at `place` of a row, and first in each row read."""

    place: int
    statement: Statement
    view: View

    def load(self, run: Run, rows: Sequence[Row]) -> Mapping[Any, Any]:
        """Return key → value; rows that are not there for this caller are missing."""
        place = self.place
        return self.of_keys(run, {row[place] for row in rows})

    def of_keys(self, run: Run, keys: set[Any]) -> Mapping[Any, Any]:
        """Return key → value of some keys."""
        wanted = sorted(key for key in keys if key is not None)
        if not wanted:
            return {}
        found = run.rows(self.statement, keys=keys_text(wanted))
        return dict(zip([row[0] for row in found], self.view.show(run, found), strict=True))


@dataclass(frozen=True, slots=True)
class TiedRelation:
    """Rows that pairs lead to: the parent's key stands at `place` of a row, and first in each row read.

    Args:
        is_single: the value is the last row's, not the list of all.
    """

    place: int
    statement: Statement
    view: View
    is_single: bool

    def load(self, run: Run, rows: Sequence[Row]) -> Mapping[Any, Any]:
        """Return parent → value, or list of values."""
        place = self.place
        parents = [row[place] for row in rows]
        found = run.rows(self.statement, keys=keys_text(parents))
        shown = self.view.show(run, found)
        if self.is_single:
            return dict(zip([row[0] for row in found], shown, strict=True))
        lists: dict[Any, list[Any]] = {parent: [] for parent in parents}
        for row, value in zip(found, shown, strict=True):
            lists[row[0]].append(value)
        return lists


@dataclass(frozen=True, slots=True)
class GatheredRelation:
    """Rows that a field is computed of: the parent's key stands at `place` of a row, and first in each row read.

    Args:
        names: of the columns.
        documents: the columns that hold JSON.
    """

    place: int
    statement: Statement
    names: tuple[str, ...]
    documents: frozenset[str]

    def load(self, run: Run, rows: Sequence[Row]) -> Mapping[Any, Any]:
        """Return parent → rows, by column name."""
        place = self.place
        found: dict[Any, list[Mapping[str, Any]]] = {}
        for row in run.rows(self.statement, keys=keys_text([row[place] for row in rows])):
            named = dict(zip(self.names, row, strict=True))
            for name in self.documents:
                if named[name] is not None:
                    named[name] = read_json(named[name])
            found.setdefault(row[0], []).append(named)
        return found


@dataclass(frozen=True, slots=True)
class MixedView:
    """What a selection makes of rows that stand for rows of several nouns.

    Args:
        nouns: name → what the selection is on that noun.
        noun: where in a row its noun's name stands.
        record: where the key of its record stands.
    """

    nouns: Mapping[str, OneRelation]
    noun: int
    record: int

    def show(self, run: Run, rows: Sequence[Row]) -> list[Any]:
        """Return the value of each row; a noun costs one statement."""
        name, record = self.noun, self.record
        keys: dict[str, set[Any]] = {}
        for row in rows:
            keys.setdefault(row[name], set()).add(row[record])
        found = {kind: self.nouns[kind].of_keys(run, wanted) for kind, wanted in keys.items()}
        return [found[row[name]][row[record]] for row in rows]
