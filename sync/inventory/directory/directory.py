"""A directory (an Entra tenant as one site syncs it): its row, the cursors of its streams, the keys of its objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from sqlalchemy import Connection, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.inventory.asset.source import AZUREAD
from sync.store import AnyRow
from sync.store.statement.bulk import insert_rows, reserve_keys, update_rows, upsert_rows
from sync.store.tables import cursors, directories, objects

T = TypeVar("T")
# Rows that are handled in one step; it limits memory and the length of transactions.
CHUNK_ROWS = 500
# The generation of a removed object without a row; its edges may still exist.
FORGOTTEN = -1


@dataclass(frozen=True)
class Directory:
    """The scope that objects, edges and cursors belong to."""

    id: int
    organization_id: int
    site_id: int


@dataclass(frozen=True)
class Cursor:
    """The position of a stream; see the columns of `cursors`."""

    link: str
    complete: bool
    full_round: bool
    generation: int
    page_number: int
    query_hash: str
    checks: bool = False
    full_at: str | None = None


async def open_directory(
    tx: AsyncConnection, clock: Clock, *, organization_id: int, site_id: int, cloud: str, tenant_id: str
) -> Directory:
    """Return the directory of a tenant in a site; create it at its first use."""
    identity = {"site_id": site_id, "source": AZUREAD, "cloud": cloud, "tenant_id": tenant_id.lower()}
    found = select(directories.c.id).where(*(directories.c[name] == value for name, value in identity.items()))
    directory_id = await tx.scalar(found)
    if directory_id is None:
        now = timestamp(clock.now())
        values = {**identity, "organization_id": organization_id, "created_at": now, "updated_at": now}
        directory_id = await tx.scalar(insert(directories).values(values).returning(directories.c.id))
    return Directory(int(directory_id or 0), organization_id, site_id)


async def load_cursor(tx: AsyncConnection, directory: Directory, stream: str) -> Cursor | None:
    """Read the position of a stream; None before its first page."""
    statement = select(
        cursors.c.link,
        cursors.c.complete,
        cursors.c.full_round,
        cursors.c.generation,
        cursors.c.page_number,
        cursors.c.query_hash,
        cursors.c.checks,
        cursors.c.full_at,
    ).where(cursors.c.directory_id == directory.id, cursors.c.stream == stream)
    row = (await tx.execute(statement)).first()
    return Cursor(*row) if row else None


def save_cursor(tx: Connection, clock: Clock, directory: Directory, stream: str, cursor: Cursor) -> None:
    """Write the position of a stream, in the transaction of the page before it."""
    place = {"directory_id": directory.id, "stream": stream}
    row = {**place, **asdict(cursor), "updated_at": timestamp(clock.now())}
    upsert_rows(tx, cursors, [row], key=tuple(place))


@dataclass(frozen=True)
class Mention:
    """An object that a page mentions: its kind and name if given; the generation to stamp on it, or 0."""

    kind: str | None
    generation: int = 0
    name: str | None = None


def identify(
    tx: Connection, directory: Directory, mentions: Mapping[str, Mention], known: Mapping[str, AnyRow]
) -> dict[str, int]:
    """Return the keys of objects by external id; create the missing ones, and update and stamp the others.

    An object that only an edge mentions gets generation 0: generations count per stream, so that an edge of another
    kind must not save it from the sweep of its own kind.

    Args:
        mentions: by external id.
        known: existing rows of `objects` by external id; others than the mentioned ones may be among them.
    """
    keys = {external_id: row.id for external_id, row in known.items()}
    missing = [external_id for external_id in mentions if external_id not in keys]
    keys.update(zip(missing, reserve_keys(tx, objects, len(missing)), strict=True))
    made = [
        {
            "id": keys[external_id],
            "directory_id": directory.id,
            "external_id": external_id,
            "kind": mentions[external_id].kind,
            "generation": mentions[external_id].generation,
            "display_name": mentions[external_id].name,
        }
        for external_id in missing
    ]
    insert_rows(tx, objects, made)
    stamped = []
    for external_id, mention in mentions.items():
        if row := known.get(external_id):
            kind, generation = row.kind or mention.kind, mention.generation or row.generation
            name = row.display_name if mention.name is None else mention.name
            if kind != row.kind or generation != row.generation or name != row.display_name:
                stamped.append({"id": row.id, "kind": kind, "generation": generation, "display_name": name})
    update_rows(tx, objects, stamped)
    return keys


def hide(tx: Connection, keys: Sequence[int]) -> None:
    """Hide removed objects that have no row; their edges stay."""
    update_rows(tx, objects, [{"id": key, "generation": FORGOTTEN} for key in keys])


def chunks(items: Sequence[T], size: int = CHUNK_ROWS) -> Iterator[Sequence[T]]:
    """Split a sequence into pieces of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
