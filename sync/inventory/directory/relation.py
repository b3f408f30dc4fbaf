"""Writes whole lists of related objects: an object's edges to ends that its list no longer has are removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sync.inventory.directory.directory import Directory, Mention, chunks, identify
from sync.inventory.directory.edges import apply_edges, on_leave
from sync.inventory.directory.item import ObjectChange, kind_of, object_id
from sync.inventory.directory.kind import Edge, Kind
from sync.inventory.directory.page import stored
from sync.inventory.directory.round import Round
from sync.organization.organizations import next_version
from sync.store.tables import edges, objects

Targets = Sequence[Mapping[str, Any]]
"""The objects that one object is linked to, as Graph lists them; `id` and `@odata.type` are used."""


def linked(tx: Connection, directory: Directory, edge: Edge, external_ids: Iterable[str]) -> dict[str, set[str]]:
    """Return the current ends of objects' edges: external id → external ids; objects without edges are left out.

    Ends that were removed but may be restored are left out: Graph's lists omit them too.
    """
    found: dict[str, set[str]] = {}
    target = objects.alias()
    for chunk in chunks(list(external_ids)):
        statement = (
            select(objects.c.external_id, target.c.external_id)
            .join_from(objects, edges, (edges.c.from_id == objects.c.id) & (edges.c.kind == edge))
            .join(target, target.c.id == edges.c.to_id)
            .where(objects.c.directory_id == directory.id, objects.c.external_id.in_(chunk), ~on_leave(target.c.id))
        )
        for source_id, target_id in tx.execute(statement):
            found.setdefault(source_id, set()).add(target_id)
    return found


def replace_edges(
    tx: Connection, directory: Directory, kind: Kind, edge: Edge, lists: Mapping[str, Targets], generation: int
) -> dict[str, Counter[str]]:
    """Make the edges of some objects equal to whole lists.

    Args:
        lists: external id of an object of the kind → all objects that it is linked to.
        generation: stamped on new edges.

    Returns:
        Edges created and removed, under the edge's name.
    """
    before = linked(tx, directory, edge, lists)
    changes = []
    for external_id, targets in lists.items():
        now = {object_id(target["id"]): kind_of(target) for target in targets}
        gone = before.get(external_id, set()) - now.keys()
        changes.append(ObjectChange(external_id, linked={edge: now}, unlinked={edge: gone}))
    mentions = {end: Mention(name) for change in changes for end, name in change.ends()}
    mentions.update((external_id, Mention(kind.name)) for external_id in lists)
    gone_ids = {end for change in changes for end in change.unlinked_ends()}
    keys = identify(tx, directory, mentions, stored(tx, directory, kind, {*mentions, *gone_ids}))
    counts: dict[str, Counter[str]] = {}
    if apply_edges(tx, kind, changes, keys, Round(generation, False), counts):
        next_version(tx, directory.organization_id)
    return counts
