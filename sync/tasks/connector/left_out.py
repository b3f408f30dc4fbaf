"""Properties that a directory's cloud does not have: found by the requests that Graph refuses, and left out from then.

They are stored with the directory, by kind. Each full round requests all properties again, because clouds change.

Source: learn.microsoft.com/graph/query-parameters (select), learn.microsoft.com/graph/api/user-delta
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select, update

from sync.entra.diagnose import refused
from sync.entra.graph.client import GraphClient
from sync.entra.graph.stream import delta_url
from sync.errors import RequestRefused, UnknownProperty
from sync.inventory.directory.directory import Directory
from sync.inventory.directory.kind import Kind
from sync.store import Store
from sync.store.tables import directories

QUESTIONS_MAX = 64
"""The limit of requests to find the properties that a refusal without names concerns."""


class LeftOut:
    """The properties left out for one directory."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store, self._mine = store, directories.c.id == directory.id
        self._names: dict[str, list[str]] | None = None

    async def load(self) -> None:
        """Read the stored properties, once."""
        if self._names is None:
            async with self._store.read() as tx:
                kept = await tx.scalar(select(directories.c.left_out).where(self._mine))
            if self._names is None:  # Another stream may have read them meanwhile.
                self._names = {kind: list(names) for kind, names in (kept or {}).items()}

    def selected(self, kind: Kind, *, with_edges: bool) -> list[str]:
        """List the properties and relations to select: all of the kind, except those left out."""
        left_out = self.names(kind)
        return [name for name in kind.select(with_edges=with_edges) if name not in left_out]

    def names(self, kind: Kind) -> frozenset[str]:
        """Return the properties left out for a kind."""
        return frozenset((self._names or {}).get(kind.plural, ()))

    async def add(self, kind: Kind, names: Collection[str]) -> None:
        """Leave out more properties."""
        await self._change(kind, {*self.names(kind), *names})

    async def forget(self, kind: Kind) -> None:
        """Leave out nothing from now on, at the start of a full round."""
        await self._change(kind, ())

    async def _change(self, kind: Kind, names: Collection[str]) -> None:
        await self.load()
        before = self._names or {}
        if sorted(names) == before.get(kind.plural, []):
            return
        # Write the properties of all kinds: the streams of a run share this object, so that none are lost.
        self._names = {**before, kind.plural: sorted(names)}
        async with self._store.write() as tx:
            await tx.execute(update(directories).where(self._mine).values(left_out=self._names))


async def unknown_properties(
    client: GraphClient, kind: Kind, selected: Sequence[str], error: UnknownProperty
) -> list[str]:
    """Return the selected properties that Graph refuses; none if no property is the cause.

    If the refusal names no selected property, this tries halves of the selection. Relations are never left out: their
    edges would look removed.

    Raises:
        RequestRefused: Graph refuses the request whatever is selected.
    """
    properties = [name for name in selected if name not in kind.edges and name != "id"]
    if named := [name for name in properties if name in error.named]:
        return named
    return await _search(client, kind, properties)


async def _search(client: GraphClient, kind: Kind, properties: Sequence[str]) -> list[str]:
    found: list[str] = []
    # Try the id alone first (the list is a stack): if Graph refuses that too, no property is the cause.
    parts = [list(properties), []]
    for _ in range(QUESTIONS_MAX):
        if not parts:
            return found
        part = parts.pop()
        try:
            await client.get(delta_url(kind.plural, ("id", *part)))
        except RequestRefused as error:
            if not isinstance(error, UnknownProperty):
                raise
            if not part:
                raise refused(int(str(error.facts["status"])), error.facts) from None
            if len(part) == 1:
                found += part
            else:
                parts += [part[: len(part) // 2], part[len(part) // 2 :]]
    return []
