"""A large inventory, written straight into the tables: the same numbers give the same rows in every run."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Boolean, Column, LargeBinary, Table
from sqlalchemy import insert as insert_into
from sqlalchemy.dialects import sqlite

from sync.clock import SystemClock
from sync.indexer import Indexer
from sync.inventory.directory.kind import Edge
from sync.organization.organizations import default_organization
from sync.organization.tokens import create_token
from sync.runtime import DATABASE_FILE, Config, Runtime
from sync.store import Store, gram, keys, tables
from sync.store.tables.column import Json, Time

MEMBERS_PER_GROUP = 50
DEPARTMENTS = ("Sales", "Engineering", "Finance", "Support", "Legal", "Research", "Operations", "People")
SYSTEMS = (("Windows", "10.0.22631"), ("Windows", "10.0.19045"), ("macOS", "15.1"), ("Linux", "6.8"), ("iOS", "18.1"))
MAKERS = (("Contoso", "Book 5"), ("Fabrikam", "Tower"), ("Northwind", "Tablet 3"))
BATCH = 10_000


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    assets: int = 100_000
    users: int = 20_000
    groups: int = 2_000

    @classmethod
    def of_assets(cls, assets: int) -> Size:
        """Return a size with the usual proportions."""
        return cls(assets, max(assets // 5, 100), max(assets // 50, 20))


async def build(data_dir: Path, size: Size) -> str:
    """Make an installation of the given size and return the text of a token that may read it."""
    runtime = await Runtime.open(Config(data_dir), run_tasks=False)
    try:
        async with runtime.store.write() as tx:
            organization = await default_organization(tx)
            token = await create_token(
                tx, SystemClock(), organization_id=organization, name="bench", role="USER", lifetime_days=1
            )
    finally:
        await runtime.close()
    connection = sqlite3.connect(data_dir / DATABASE_FILE)
    connection.execute("PRAGMA synchronous=OFF")
    _fill(connection, size)
    connection.execute("UPDATE organizations SET version = version + 1")
    connection.commit()
    connection.close()
    await _settle(data_dir)
    return token.text


async def _settle(data_dir: Path) -> None:
    """Do what a server does after a sync: index the texts, and count for the planner."""
    store = Store.at(data_dir / DATABASE_FILE)
    # The rows were written past what makes their sort keys.
    async with store.write() as tx:
        await tx.run_sync(keys.remake)
    indexer = Indexer(store, SystemClock())
    for table in gram.COLUMNS:
        while await indexer.step(1, table, BATCH):
            pass
    await store.analyze()
    await store.close()


def _fill(connection: sqlite3.Connection, size: Size) -> None:
    chance = random.Random(1)  # noqa: S311 - the same rows in every run
    kinds = ((tables.users, size.users), (tables.groups, size.groups), (tables.devices, size.assets))
    common = {"organization_id": 1, "site_id": 1, "directory_id": 1, "version": 1, "created_at": _time(0)}
    directory = {"id": 1, "source": "azuread", "cloud": "GLOBAL", "tenant_id": "t", "updated_at": _time(0)}
    _write(connection, tables.directories, [{**common, **directory}])
    starts, start = {}, 1
    for table, number in kinds:
        starts[table.name] = start
        ids = range(start, start + number)
        objects = ({"id": i, "directory_id": 1, "external_id": f"o-{i:08}", "generation": 1} for i in ids)
        _write(connection, tables.objects, objects)
        start += number
    _write(connection, tables.users, (common | _user(chance, i) for i in range(1, 1 + size.users)))
    groups, devices = starts["groups"], starts["devices"]
    _write(connection, tables.groups, (common | _group(chance, i) for i in range(groups, groups + size.groups)))
    _write(connection, tables.assets, (common | _asset(chance, i) for i in range(1, 1 + size.assets)))
    made = (common | _device(chance, devices + i, 1 + i) for i in range(size.assets))
    _write(connection, tables.devices, made)
    _write(connection, tables.edges, _edges(chance, size, groups, devices))
    names = ({"site_id": 1, "kind": "NAME", "value": f"host-{i:07}", "asset_id": i} for i in range(1, 1 + size.assets))
    _write(connection, tables.asset_keys, names)


def _edges(chance: random.Random, size: Size, groups: int, devices: int) -> Iterator[dict[str, Any]]:
    for group in range(groups, groups + size.groups):
        for user in sorted(chance.sample(range(1, size.users + 1), min(MEMBERS_PER_GROUP, size.users))):
            yield {"kind": Edge.MEMBER, "from_id": group, "to_id": user, "generation": 1}
    for i in range(size.assets):
        owner = chance.randrange(1, size.users + 1)
        yield {"kind": Edge.DEVICE_OWNER, "from_id": devices + i, "to_id": owner, "generation": 1}
    for user in range(2, size.users + 1):
        yield {"kind": Edge.MANAGER, "from_id": user, "to_id": user // 8 + 1, "generation": 1}


def _user(chance: random.Random, i: int) -> dict[str, Any]:
    return {
        "id": i,
        "source": "azuread",
        "external_id": f"o-{i:08}",
        "user_principal_name": f"user{i}@contoso.example",
        "display_name": f"User {i:06}",
        "mail": f"user{i}@contoso.example",
        "department": chance.choice(DEPARTMENTS),
        "job_title": f"Title {i % 40}",
        "account_enabled": chance.random() < 0.9,
        "updated_at": _time(i),
    }


def _group(chance: random.Random, i: int) -> dict[str, Any]:
    return {
        "id": i,
        "source": "azuread",
        "external_id": f"o-{i:08}",
        "display_name": f"Group {i:06}",
        "kind": chance.choice(("SECURITY", "MICROSOFT_365")),
        "is_dynamic": False,
        "membership_known": True,
        "updated_at": _time(i),
    }


def _asset(chance: random.Random, i: int) -> dict[str, Any]:
    (system, version), (maker, model) = chance.choice(SYSTEMS), chance.choice(MAKERS)
    return {
        "id": i,
        "name": f"host-{chance.randrange(10**7):07}",
        "names": [f"host-{i:07}", f"host-{i:07}.contoso.example"],
        "domains": ["contoso.example"],
        "addresses": [f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"],
        "macs": [],
        "mac_vendors": [],
        "products": [],
        "type": chance.choice(("Desktop", "Laptop", "Server")),
        "os": system,
        "os_version": version,
        "manufacturer": maker,
        "model": model,
        "serial": f"S{i:09}",
        "scanned": False,
        "source_mask": 1,
        "source_count": 1,
        "first_seen": _time(i % 1000),
        "last_seen": _time(chance.randrange(10**7)),
        "tags": [],
        "updated_at": _time(i),
    }


def _device(chance: random.Random, i: int, asset: int) -> dict[str, Any]:
    return {
        "id": i,
        "source": "azuread",
        "external_id": f"o-{i:08}",
        "asset_id": asset,
        "display_name": f"host-{asset:07}",
        "device_id": f"d-{i:08}",
        "account_enabled": chance.random() < 0.95,
        "trust_type": chance.choice(("AzureAd", "ServerAd", "Workplace")),
        "operating_system": "Windows",
        "updated_at": _time(i),
    }


def _time(number: int) -> str:
    minute, day = number % 60, number // 86_400 % 28
    return f"2026-{number // 2_419_200 % 12 + 1:02}-{day + 1:02}T{number // 3600 % 24:02}:{minute:02}:00.000Z"


def _write(connection: sqlite3.Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    statement = str(insert_into(table).compile(dialect=sqlite.dialect(paramstyle="qmark")))
    columns = list(table.columns)
    batch: list[list[Any]] = []
    for row in rows:
        batch.append([_stored(column, row) for column in columns])
        if len(batch) == BATCH:
            connection.executemany(statement, batch)
            batch.clear()
    connection.executemany(statement, batch)


def _stored(column: Column[Any], row: dict[str, Any]) -> Any:
    value = row.get(column.name)
    if value is not None:
        return orjson.dumps(value).decode() if column.type is Json else value
    if column.nullable:
        return None
    # What is not null but says nothing here, such as a content hash.
    if isinstance(column.type, LargeBinary):
        return b""
    if isinstance(column.type, Boolean):
        return False
    return _time(0) if column.type is Time else 0
