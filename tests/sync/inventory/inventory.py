"""An inventory on a real SQLite store, fed by hand instead of by Graph, and read as plain values."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from sync.clock import timestamp
from sync.entra.graph.stream import Complete
from sync.inventory.asset.link import LinkOptions, link_devices
from sync.inventory.asset.source import BITS, SCAN
from sync.inventory.directory.directory import Directory, open_directory
from sync.inventory.directory.kind import KINDS, Edge, Kind
from sync.inventory.directory.page import Applied, apply_page
from sync.inventory.directory.round import Round
from sync.inventory.directory.sweep import sweep
from sync.organization.organizations import create_organization, create_site
from sync.store import Store
from sync.store.tables import (
    asset_keys,
    assets,
    devices,
    edges,
    matches,
    metadata,
    objects,
    organizations,
    scan_records,
)
from sync.store.tables.column import graph_columns
from tests.sync.entra.clock import FakeClock

Item = dict[str, Any]
DEFAULT = LinkOptions(exclude_unknown=False, include_inactive=False)
COMPLETE = Complete("https://graph.test/v1.0/users/delta?$deltatoken=x")


def removed(external_id: str, reason: str | None = "deleted") -> Item:
    """Return the item that reports a removal, without a reason for None."""
    return {"id": external_id, "@removed": {} if reason is None else {"reason": reason}}


def ends(*external_ids: str, kind: str = "user") -> list[Item]:
    """Return the entries that add edges to objects."""
    return [{"id": external_id, "@odata.type": f"#microsoft.graph.{kind}"} for external_id in external_ids]


def gone(*external_ids: str) -> list[Item]:
    """Return the entries that take edges away."""
    return [removed(external_id) for external_id in external_ids]


def device(external_id: str, name: str | None = None, **more: Any) -> Item:
    """Return an enabled device."""
    return {"id": external_id, "displayName": name or external_id, "accountEnabled": True} | more


def joined(external_id: str, name: str | None = None, **more: Any) -> Item:
    """Return the record of a Windows PC that is joined to the directory."""
    return device(external_id, name, operatingSystem="Windows", trustType="AzureAd") | more


def registered(external_id: str, name: str | None = None, **more: Any) -> Item:
    """Return the record of a Windows PC that a person has registered: with a joined one of its name it is one PC."""
    return joined(external_id, name, trustType="Workplace") | more


class Inventory:
    """One organization with one site and one directory."""

    def __init__(self, store: Store, clock: FakeClock, directory: Directory) -> None:
        self.store, self.clock, self.directory = store, clock, directory

    @classmethod
    async def of(cls, store: Store, clock: FakeClock, name: str = "Contoso") -> Inventory:
        """Make an empty inventory in an organization of that name."""
        async with store.write() as tx:
            organization_id = await create_organization(tx, clock, name)
            site_id = await create_site(tx, clock, organization_id, "Main")
            directory = await open_directory(
                tx, clock, organization_id=organization_id, site_id=site_id, cloud="GLOBAL", tenant_id="contoso.example"
            )
        return cls(store, clock, directory)

    async def page(
        self, kind: Kind, *items: Item, generation: int = 1, full: bool = True, minimal: bool = False
    ) -> Applied:
        """Apply one page in a transaction of its own, a minute after the one before."""
        self.clock.moved_s += 60
        round_ = Round(generation, full, minimal)
        return await self.store.transact(lambda tx: apply_page(tx, self.clock, self.directory, kind, items, round_))

    async def sweep(self, kind: Kind, generation: int, confirmed: int = 0) -> Applied:
        """Sweep a kind after a complete round, so many rows of anything having been confirmed."""
        self.clock.moved_s += 60
        work = partial(sweep, confirmed=lambda _: confirmed)
        return await self.store.transact(lambda tx: work(tx, self.clock, self.directory, kind, generation, COMPLETE))

    async def link(self, keys: Sequence[int] | None = None, options: LinkOptions = DEFAULT) -> dict[str, int]:
        """Link devices, all of them by default, and return the counts that are not zero."""
        self.clock.moved_s += 60

        def work(tx: Connection) -> dict[str, int]:
            mine = select(devices.c.id).where(devices.c.directory_id == self.directory.id)
            chosen = tx.scalars(mine.order_by(devices.c.id)).all() if keys is None else keys
            return dict(+link_devices(tx, self.clock, self.directory, options, chosen))

        return await self.store.transact(work)

    async def relink(self, options: LinkOptions) -> dict[str, int]:
        """Link every device anew, as a run does whose options were changed, and return the counts."""
        return await self.link(options=options)

    async def scanned(self, *names: str) -> list[int]:
        """Make assets that a scan has found, without any device."""
        now = timestamp(self.clock.now())
        place = {"organization_id": self.directory.organization_id, "site_id": self.directory.site_id}
        empty: dict[str, Any] = {"domains": [], "addresses": [], "macs": [], "tags": [], "scanned": True}
        times = {"created_at": now, "updated_at": now}
        known = {"source_mask": BITS[SCAN], "source_count": 1, "version": 1}
        keys = []
        async with self.store.write() as tx:
            for name in names:
                values = {**place, **empty, **times, **known, "name": name, "names": [name]}
                key = int((await tx.execute(insert(assets).values(values).returning(assets.c.id))).scalar_one())
                lists: dict[str, Any] = {"names": [name], "addresses": [], "macs": [], "services": []}
                record = {
                    **place,
                    **lists,
                    **times,
                    "asset_id": key,
                    "alive": True,
                    "first_seen": now,
                    "last_seen": now,
                }
                await tx.execute(insert(scan_records).values(record))
                row = {"site_id": self.directory.site_id, "kind": "NAME", "value": name.casefold(), "asset_id": key}
                await tx.execute(insert(asset_keys).values(row))
                keys.append(key)
        return keys

    async def version(self) -> int:
        """Return the organization's data version."""
        mine = organizations.c.id == self.directory.organization_id
        async with self.store.read() as tx:
            return int(await tx.scalar(select(organizations.c.version).where(mine)) or 0)

    async def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every column of every row of every table but those of runs."""
        tables = [table for name, table in metadata.tables.items() if name not in ("runs", "run_log")]
        async with self.store.read() as tx:
            return {
                table.name: sorted((tuple(row) for row in await tx.execute(select(table))), key=repr)
                for table in tables
            }

    async def rows(self, kind: Kind) -> dict[str, str]:
        """Return external id → LIVE or how it was deleted."""
        table = kind.table
        state = select(table.c.external_id, func.coalesce(table.c.deletion, "LIVE"))
        async with self.store.read() as tx:
            rows = await tx.execute(state.where(table.c.directory_id == self.directory.id))
            return {external_id: deletion for external_id, deletion in rows}

    async def field(self, kind: Kind, external_id: str, column: str) -> Any:
        """Return one column of one row."""
        table = kind.table
        async with self.store.read() as tx:
            return await tx.scalar(select(table.c[column]).where(table.c.external_id == external_id.lower()))

    async def edges(self) -> set[tuple[Edge, str, str]]:
        """Return every stored edge, by external ids."""
        source, target = objects.alias(), objects.alias()
        statement = (
            select(edges.c.kind, source.c.external_id, target.c.external_id)
            .join_from(edges, source, source.c.id == edges.c.from_id)
            .join(target, target.c.id == edges.c.to_id)
            .where(source.c.directory_id == self.directory.id)
        )
        async with self.store.read() as tx:
            return {(Edge(kind), one, other) for kind, one, other in await tx.execute(statement)}

    async def final(self) -> object:
        """Return all that the directory said, without our keys, times, generations and versions."""
        found: dict[str, dict[str, tuple[Any, ...]]] = {}
        async with self.store.read() as tx:
            for kind in KINDS:
                table = kind.table
                columns = [table.c.deletion, table.c.content_hash, *(column for _, column in graph_columns(table))]
                mine = table.c.directory_id == self.directory.id
                rows = await tx.execute(select(table.c.external_id, *columns).where(mine))
                found[kind.plural] = {row[0]: tuple(map(repr, row[1:])) for row in rows}
        live = {name for kind in found.values() for name, row in kind.items() if row[0] == "None"}
        visible = {edge for edge in await self.edges() if edge[1] in live and edge[2] in live}
        return found, visible

    async def assets(self) -> set[tuple[Any, ...]]:
        """Return the visible assets: name, names, sources and the devices linked to each."""
        linked = select(devices.c.asset_id, devices.c.external_id).where(devices.c.asset_id.is_not(None))
        async with self.store.read() as tx:
            members: dict[int, list[str]] = {}
            for asset_id, external_id in await tx.execute(linked.order_by(devices.c.external_id)):
                members.setdefault(asset_id, []).append(external_id)
            rows = (await tx.execute(select(assets).where(assets.c.deleted_at.is_(None)))).all()
        return {(row.name, tuple(row.names), row.source_mask, tuple(members.get(row.id, ()))) for row in rows}

    async def skipped(self) -> dict[str, str | None]:
        """Return external id → why the device has no asset."""
        async with self.store.read() as tx:
            rows = await tx.execute(select(devices.c.external_id, devices.c.skipped))
            return {external_id: reason for external_id, reason in rows}

    async def matches(self) -> dict[str, tuple[str, str | None]]:
        """Return external id → key and value by which the device was recognised."""
        statement = select(objects.c.external_id, matches.c.key, matches.c.value)
        async with self.store.read() as tx:
            rows = await tx.execute(statement.join_from(matches, objects, objects.c.id == matches.c.object_id))
            return {external_id: (key, value) for external_id, key, value in rows}


class Inventories:
    """As many new inventories as Hypothesis wants, in one database file: an organization each."""

    def __init__(self, database: Path) -> None:
        self._runner = asyncio.Runner()
        self._store = Store.at(database)
        self._made = 0

    def try_on_a_new_one(self, check: Callable[[Inventory], Awaitable[None]]) -> None:
        """Run a check; on an event loop of our own, so that a failing example says why and shrinks."""
        self._made += 1
        self._runner.run(self._try(check, f"Organization {self._made}"))

    async def _try(self, check: Callable[[Inventory], Awaitable[None]], name: str) -> None:
        await check(await Inventory.of(self._store, FakeClock(), name))

    def close(self) -> None:
        """Close the database."""
        self._runner.run(self._store.close())
        self._runner.close()
