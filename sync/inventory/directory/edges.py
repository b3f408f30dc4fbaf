"""Edges between directory objects: adds, removes and replaces them as pages report; their ends need no rows."""

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
    """Tell whether an end of an edge was removed but may be restored.

    Graph omits such an object from the lists of others, and does not report the edge again when the object is restored.
    Its absence from a list therefore does not mean that the edge is gone.
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
    """Write the edges that a page's objects gain and lose, and count them; return whether anything changed.

    Args:
        keys: external id → key of each known object; an unknown end has no edge to lose.
        counts: name of the edge → edges created and removed; added to.
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
    """List the edges that were reported as removed, and the previous edges of to-one relations."""
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
    """Insert the missing edges and return their number; a full round also stamps the existing ones."""
    for row in rows:
        row["generation"] = round_.generation
    created = insert_missing(tx, edges, rows)
    if round_.full and created < len(rows):
        update_rows(tx, edges, rows, key=_KEY)
    return created


def _end_lives(tx: Connection, ended: set[int], linked: Mapping[Edge, Sequence[Pair]]) -> bool:
    """Delete every edge from and to permanently deleted objects, because Graph may never report their removal.

    Edges that the page reported after the deletion stay: the object was created again.
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
