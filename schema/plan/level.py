"""One level of a plan while it runs: rows of one noun, what hangs on them, and what they become."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from orjson import Fragment
from sqlalchemy import ColumnElement

from schema.field.rows import keys_text
from schema.limit.budget import LOADED_FACTOR, STEP_BYTES, Tally
from schema.plan.bound import Bound
from schema.plan.statement import Row, Statement
from sync.clock import timestamp
from sync.store.statement.digits import read_json

# Rows that are read or shown between two looks at the clock.
BATCH = 64


@dataclass(slots=True)
class PlanRun:
    """One run of a plan: everything that differs from the next.

    Args:
        connection: inside a read transaction.
        organization: the caller's.
        bounds: what the arguments of each list and look-up mean, by slot.
        cursor_key: signs cursors.
        now: the time that relative times count from.
        tally: what the answer has come to.
        check: raises StoreSlow when the time of the run is over.
        is_timed: some statement has asked for `now`.
    """

    connection: sqlite3.Connection
    organization: int
    bounds: Sequence[Bound]
    cursor_key: bytes
    now: datetime
    tally: Tally
    check: Callable[[], None]
    is_timed: bool = False

    def rows(self, statement: Statement, *, is_counted: bool = False, **given: Any) -> list[Row]:
        """Run a statement as the caller.

        Args:
            statement: reads the rows.
            is_counted: the rows are of lists without a size, and are counted while they are read.
            given: values of its parameters.

        Raises:
            AnswerTooLarge: so many rows may not be counted.
        """
        given["organization"] = self.organization
        if statement.moments:
            self.is_timed = True
            given |= {name: timestamp(self.now + timedelta(seconds=s)) for name, s in statement.moments.items()}
        cursor, found, tally = statement.start(self.connection, given), list[Row](), self.tally
        while batch := cursor.fetchmany(BATCH):
            tally.hold(_size_of(batch))
            if is_counted:
                tally.count(len(batch))
            if len(batch) < BATCH:
                return found + batch if found else batch
            found += batch
            self.check()
        return found

    def write(self, values: Iterable[Any], before: int) -> tuple[list[Fragment], int]:
        """Write each value of a level as JSON, so that its size is known wherever the answer repeats it.

        Args:
            values: what the level shows.
            before: bytes of the answer before the level.

        Returns:
            The texts, and the bytes of the answer behind them.

        Raises:
            AnswerTooLarge: the answer has too many bytes.
        """
        texts: list[Fragment] = []
        size = 0
        for value in values:
            text = orjson.dumps(value)
            texts.append(Fragment(text))
            size += len(text)
            if size > STEP_BYTES:
                before = self.add(size, before)
                size = 0
        return texts, self.add(size, before)

    def add(self, size: int, before: int) -> int:
        """Count bytes that are in memory and certain to be in the answer; return the bytes of the answer so far."""
        self.tally.hold(size)
        self.tally.reach(before + size)
        return before + size


def _size_of(rows: Sequence[Row]) -> int:
    """Return about how many bytes rows have; a row of one or two columns holds a text that the database wrote."""
    if len(rows[0]) > 2:
        return len(orjson.dumps(rows))
    return sum([len(row[-1]) for row in rows if isinstance(row[-1], str)])


class LevelRelation(Protocol):
    """What hangs on the rows of a level, read for all of them at once."""

    def load(self, run: PlanRun, rows: Sequence[Row]) -> Mapping[Any, Any]:
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
class LevelView:
    """What one selection makes of a level's rows; `make` is generated when the level's columns are all known.

    `text` is the column that holds the whole of it as JSON, if the database writes it, and `place` is where it stands.
    """

    relations: list[LevelRelation] = field(default_factory=list)
    text: ColumnElement[str] | None = None
    place: int = 0
    make: Callable[..., list[Any]] = list

    def show(self, run: PlanRun, rows: Sequence[Row]) -> list[Any]:
        """Return the value of each row, as JSON."""
        if not rows:
            return []
        tally, place = run.tally, self.place
        held, written = tally.held_bytes, tally.written_bytes
        loaded = [relation.load(run, rows) for relation in self.relations]
        inner = tally.held_bytes - held
        # Related rows are counted already, unless several rows lead to the same one.
        is_written = not loaded or any(len(found) < len(rows) for found in loaded)
        shown: list[Any] = []
        for start in range(0, len(rows), BATCH):
            if start:
                run.check()
            batch = rows[start : start + BATCH]
            values = self.make(batch, *loaded)
            if self.text is not None:
                written = run.add(sum([len(row[place]) for row in batch]), written)
            elif is_written:
                values, written = run.write(values, written)
            shown += values
        if is_written:
            # The texts of the rows hold what hangs on them.
            tally.hold(-inner)
        return shown


class Shows(Protocol):
    """What makes values of rows."""

    def show(self, run: PlanRun, rows: Sequence[Row]) -> list[Any]:
        """Return the value of each row."""


@dataclass(frozen=True, slots=True)
class OneRelation:
    """Rows by key: the key stands at `place` of a row, and first in each row read."""

    place: int
    statement: Statement
    view: LevelView

    def load(self, run: PlanRun, rows: Sequence[Row]) -> Mapping[Any, Any]:
        """Return key → value; rows that are not there for this caller are missing."""
        place = self.place
        return self.of_keys(run, {row[place] for row in rows})

    def of_keys(self, run: PlanRun, keys: set[Any]) -> Mapping[Any, Any]:
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
    view: LevelView
    is_single: bool

    def load(self, run: PlanRun, rows: Sequence[Row]) -> Mapping[Any, Any]:
        """Return parent → value, or list of values."""
        place = self.place
        parents = list(dict.fromkeys([row[place] for row in rows]))
        found = run.rows(self.statement, is_counted=not self.is_single, keys=keys_text(parents))
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

    def load(self, run: PlanRun, rows: Sequence[Row]) -> Mapping[Any, Any]:
        """Return parent → rows, by column name."""
        place = self.place
        found: dict[Any, list[Mapping[str, Any]]] = {}
        for row in run.rows(self.statement, is_counted=True, keys=keys_text([row[place] for row in rows])):
            named = dict(zip(self.names, row, strict=True))
            for name in self.documents:
                if named[name] is not None:
                    run.tally.hold(LOADED_FACTOR * len(named[name]))
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

    def show(self, run: PlanRun, rows: Sequence[Row]) -> list[Any]:
        """Return the value of each row; a noun costs one statement."""
        name, record = self.noun, self.record
        keys: dict[str, set[Any]] = {}
        for row in rows:
            keys.setdefault(row[name], set()).add(row[record])
        found = {kind: self.nouns[kind].of_keys(run, wanted) for kind, wanted in keys.items()}
        return [found[row[name]][row[record]] for row in rows]
