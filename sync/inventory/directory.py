"""One Entra tenant seen from one site: its row, where its streams stand, and the keys of its objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.inventory.source import AZUREAD
from sync.store import insert as insert_or
from sync.store.tables import cursors, directories, objects

T = TypeVar("T")
# Below the parameter limits of every SQLite and PostgreSQL in use.
CHUNK_ROWS = 500


@dataclass(frozen=True)
class Directory:
    """The scope that objects, edges and cursors belong to."""

    id: int
    organization_id: int
    site_id: int


@dataclass(frozen=True)
class Cursor:
    """Where a stream stands; see the columns of `cursors`."""

    link: str
    complete: bool
    full_round: bool
    generation: int
    page_number: int
    query_hash: str


async def open_directory(
    tx: AsyncConnection, clock: Clock, *, organization_id: int, site_id: int, cloud: str, tenant_id: str
) -> Directory:
    """Return the directory of a tenant in a site, made at its first use."""
    identity = {"site_id": site_id, "source": AZUREAD, "cloud": cloud, "tenant_id": tenant_id.lower()}
    found = select(directories.c.id).where(*(directories.c[name] == value for name, value in identity.items()))
    directory_id = await tx.scalar(found)
    if directory_id is None:
        now = timestamp(clock.now())
        values = {**identity, "organization_id": organization_id, "created_at": now, "updated_at": now}
        directory_id = await tx.scalar(insert(directories).values(values).returning(directories.c.id))
    return Directory(int(directory_id or 0), organization_id, site_id)


async def load_cursor(tx: AsyncConnection, directory: Directory, stream: str) -> Cursor | None:
    """Read where a stream stands; None before its first page."""
    statement = select(
        cursors.c.link,
        cursors.c.complete,
        cursors.c.full_round,
        cursors.c.generation,
        cursors.c.page_number,
        cursors.c.query_hash,
    ).where(cursors.c.directory_id == directory.id, cursors.c.stream == stream)
    row = (await tx.execute(statement)).first()
    return Cursor(*row) if row else None


async def save_cursor(tx: AsyncConnection, clock: Clock, directory: Directory, stream: str, cursor: Cursor) -> None:
    """Write where a stream stands, in the transaction of the page that led there."""
    values = {
        "link": cursor.link,
        "complete": cursor.complete,
        "full_round": cursor.full_round,
        "generation": cursor.generation,
        "page_number": cursor.page_number,
        "query_hash": cursor.query_hash,
        "updated_at": timestamp(clock.now()),
    }
    statement = insert_or(tx, cursors).values(directory_id=directory.id, stream=stream, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=["directory_id", "stream"], set_=values))


async def identify(tx: AsyncConnection, directory: Directory, wanted: Mapping[str, str | None]) -> dict[str, int]:
    """Return the key of each object, making the missing ones.

    A new object is one that no full round has seen (generation 0): generations count per stream, so being named by
    another kind's edges must not save it from its own kind's sweep.

    Args:
        wanted: external id → kind, or None when it is not known yet.
    """
    keys: dict[str, int] = {}
    unnamed: list[str] = []
    columns = (objects.c.id, objects.c.external_id, objects.c.kind)
    for chunk in chunks(list(wanted)):
        rows = await tx.execute(
            select(*columns).where(objects.c.directory_id == directory.id, objects.c.external_id.in_(chunk))
        )
        for key, external_id, kind in rows:
            keys[external_id] = key
            if kind is None and wanted[external_id]:
                unnamed.append(external_id)
    missing = [
        {"directory_id": directory.id, "external_id": external_id, "kind": kind, "generation": 0}
        for external_id, kind in wanted.items()
        if external_id not in keys
    ]
    if missing:
        made = await tx.execute(insert(objects).returning(objects.c.id, objects.c.external_id), missing)
        keys.update((external_id, key) for key, external_id in made)
    for external_id in unnamed:
        await tx.execute(update(objects).where(objects.c.id == keys[external_id]).values(kind=wanted[external_id]))
    return keys


async def stamp(tx: AsyncConnection, keys: Iterable[int], generation: int) -> None:
    """Mark objects as seen by a full round, so that its sweep spares them."""
    for chunk in chunks(list(keys)):
        await tx.execute(update(objects).where(objects.c.id.in_(chunk)).values(generation=generation))


def chunks(items: Sequence[T], size: int = CHUNK_ROWS) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that fit into one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
