"""Edges between directory objects: added, removed and replaced as the pages say; never tied to either end's row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, bindparam, delete, exists, or_, select

from sync.inventory.directory.item import ObjectChange
from sync.inventory.directory.kind import EDGE_COUNTS, KINDS, RESTORABLE, Edge, Kind
from sync.inventory.directory.round import Round
from sync.store.statement.bulk import delete_rows, insert_missing, update_rows
from sync.store.statement.in_list import among
from sync.store.tables import edges

Pair = tuple[int, int]
_KEY = ("kind", "from_id", "to_id")
_STORED_ENDS = select(edges.c.from_id, edges.c.to_id).where(
    edges.c.kind == bindparam("edge"), among(edges.c.from_id, "sources")
)


def on_leave(end: Column[int]) -> ColumnElement[bool]:
    """Tell whether an end of an edge was removed but may come back.

    Graph leaves such an object out of the lists of others, and does not name it there again when it comes back: that a
    list lacks it says nothing about the edge.
    """
    return or_(*(exists().where(kind.table.c.id == end, kind.table.c.deletion.in_(RESTORABLE)) for kind in KINDS))


def apply_edges(
    tx: Connection,
    kind: Kind,
    folded: Sequence[ObjectChange],
    keys: Mapping[str, int],
    round_: Round,
    counts: dict[str, Counter[str]],
) -> bool:
    """Write the edges that a page's objects gain and lose, count them under the edge's name; tell whether any did.

    Args:
        keys: of each object that is mentioned and known; an end that is not known has no edge to lose.
    """
    linked = {edge: _pairs(edge, folded, keys) for edge in kind.edges.values()}
    ended = {keys[change.external_id] for change in folded if change.is_new_life and change.external_id in keys}
    is_changed = bool(ended) and _end_lives(tx, ended, linked)
    for edge, pairs in linked.items():
        counter = counts.setdefault(EDGE_COUNTS[edge], Counter())
        if removed := delete_rows(tx, edges, _rows(edge, _lost(tx, edge, folded, keys, pairs))):
            counter["removed"] += removed
        if created := _add(tx, _rows(edge, pairs), round_):
            counter["created"] += created
        is_changed |= counter.total() > 0
    return is_changed


def _pairs(edge: Edge, folded: Sequence[ObjectChange], keys: Mapping[str, int]) -> list[Pair]:
    pairs: list[Pair] = []
    for change in folded:
        if targets := change.linked.get(edge):
            source = keys[change.external_id]
            pairs.extend((source, keys[target]) for target in targets)
    return pairs


def _lost(
    tx: Connection, edge: Edge, folded: Sequence[ObjectChange], keys: Mapping[str, int], linked: Sequence[Pair]
) -> set[Pair]:
    """List the edges that were reported as removed, and those that a to-one edge led to before."""
    lost = {
        (keys[change.external_id], keys[end])
        for change in folded
        for end in change.unlinked.get(edge, ())
        if end in keys
    }
    if sources := [keys[change.external_id] for change in folded if edge in change.replaced]:
        stored = {(source, target) for source, target in tx.execute(_STORED_ENDS, {"edge": edge, "sources": sources})}
        lost |= stored.difference(linked)
    return lost


def _rows(edge: Edge, pairs: Collection[Pair]) -> list[dict[str, Any]]:
    kind = int(edge)
    return [{"kind": kind, "from_id": source, "to_id": target} for source, target in pairs]


def _add(tx: Connection, rows: Sequence[dict[str, Any]], round_: Round) -> int:
    """Insert the edges that are not there yet and return how many; a full round stamps the others too."""
    for row in rows:
        row["generation"] = round_.generation
    created = insert_missing(tx, edges, rows)
    if round_.full and created < len(rows):
        update_rows(tx, edges, rows, key=_KEY)
    return created


def _end_lives(tx: Connection, ended: set[int], linked: Mapping[Edge, Sequence[Pair]]) -> bool:
    """Delete every edge from and to objects that are gone for good, because Graph may never report these.

    Only what the page itself reported after the removal stays: then the object has begun anew.
    """
    anew = {key for pairs in linked.values() for pair in pairs for key in pair if key in ended}
    deleted = 0
    for edge in Edge:
        for near, far, place in ((edges.c.from_id, edges.c.to_id, 0), (edges.c.to_id, edges.c.from_id, 1)):
            deleted += _delete(tx, edge, near, ended - anew)
            for key in anew:
                kept = [pair[1 - place] for pair in linked.get(edge, ()) if pair[place] == key]
                deleted += _delete(tx, edge, near, {key}, far, kept)
    return deleted > 0


def _delete(
    tx: Connection,
    edge: Edge,
    near: Column[int],
    keys: Collection[int],
    far: Column[int] | None = None,
    kept: Collection[int] = (),
) -> int:
    if not keys:
        return 0
    statement = delete(edges).where(edges.c.kind == bindparam("edge"), among(near, "keys"))
    if far is not None:
        statement = statement.where(~among(far, "kept"))
    return tx.execute(statement, {"edge": edge, "keys": keys, **({} if far is None else {"kept": kept})}).rowcount
