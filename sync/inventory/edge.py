"""Edges between directory objects: added, removed and replaced as the pages say; never tied to either end's row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.inventory.directory import Directory, chunks
from sync.inventory.item import Change
from sync.inventory.kind import EDGE_COUNTS, Edge, Kind
from sync.store import insert as insert_or
from sync.store.tables import edges, objects

if TYPE_CHECKING:
    from sync.inventory.apply import Round

Pair = tuple[int, int]


async def apply_edges(
    tx: AsyncConnection,
    directory: Directory,
    kind: Kind,
    shown: Iterable[Change],
    keys: Mapping[str, int],
    round_: Round,
    counts: dict[str, Counter[str]],
) -> None:
    """Write the edges that a page's objects gain and lose, and count them under the edge's name."""
    changes = list(shown)
    for edge in kind.edges.values():
        linked = [(keys[change.external_id], keys[end]) for change in changes for end in change.linked.get(edge, ())]
        lost = {change.external_id: change.unlinked[edge] for change in changes if change.unlinked.get(edge)}
        counter = counts.setdefault(EDGE_COUNTS[edge], Counter())
        if lost:
            counter["removed"] += await _remove(tx, directory, edge, lost, keys)
        if linked:
            if edge in kind.single:
                counter["removed"] += await _replace(tx, edge, linked)
            counter["created"] += await _add(tx, edge, linked, round_)


async def _add(tx: AsyncConnection, edge: Edge, pairs: Sequence[Pair], round_: Round) -> int:
    """Insert the edges that are not there yet and return how many; a full round stamps the others too."""
    rows = [
        {"kind": edge, "from_id": source, "to_id": target, "generation": round_.generation} for source, target in pairs
    ]
    created = (await tx.execute(insert_or(tx, edges).on_conflict_do_nothing(), rows)).rowcount
    if round_.full and created < len(rows):
        statement = update(edges).where(*_is(edge)).values(generation=round_.generation)
        await tx.execute(statement, _ends(pairs))
    return created


async def _delete(tx: AsyncConnection, edge: Edge, pairs: Sequence[Pair]) -> int:
    if not pairs:
        return 0
    return (await tx.execute(delete(edges).where(*_is(edge)), _ends(pairs))).rowcount


def _is(edge: Edge) -> tuple[ColumnElement[bool], ...]:
    return edges.c.kind == edge, edges.c.from_id == bindparam("source"), edges.c.to_id == bindparam("target")


def _ends(pairs: Sequence[Pair]) -> list[dict[str, int]]:
    return [{"source": source, "target": target} for source, target in pairs]


async def _remove(
    tx: AsyncConnection,
    directory: Directory,
    edge: Edge,
    lost: Mapping[str, set[str]],
    keys: Mapping[str, int],
) -> int:
    """Delete edges whose far end was reported as removed; ends that were never seen have no edge."""
    ends = sorted({end for targets in lost.values() for end in targets})
    known: dict[str, int] = {}
    for chunk in chunks(ends):
        rows = await tx.execute(
            select(objects.c.external_id, objects.c.id).where(
                objects.c.directory_id == directory.id, objects.c.external_id.in_(chunk)
            )
        )
        known.update((external_id, key) for external_id, key in rows)
    pairs = [
        (keys[external_id], known[end]) for external_id, targets in lost.items() for end in targets if end in known
    ]
    return await _delete(tx, edge, pairs)


async def _replace(tx: AsyncConnection, edge: Edge, pairs: Sequence[Pair]) -> int:
    """Delete what a to-one edge pointed at before."""
    new = dict(pairs)
    stale: list[Pair] = []
    for chunk in chunks(list(new)):
        rows = await tx.execute(
            select(edges.c.from_id, edges.c.to_id).where(edges.c.kind == edge, edges.c.from_id.in_(chunk))
        )
        stale.extend((source, target) for source, target in rows if new[source] != target)
    return await _delete(tx, edge, stale)


async def drop_edges(tx: AsyncConnection, keys: Sequence[int]) -> None:
    """Delete every edge from or to objects that are gone for good; Graph may never report these."""
    for chunk in chunks(keys):
        for edge in Edge:
            await tx.execute(
                delete(edges).where(edges.c.kind == edge, or_(edges.c.from_id.in_(chunk), edges.c.to_id.in_(chunk)))
            )
