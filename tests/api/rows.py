"""Rows of an organization written straight into the tables: ties, nulls and awkward texts in every column."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Column, Integer, LargeBinary, Table, delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.field.registry import NOUNS
from sync.clock import timestamp
from sync.inventory.directory.kind import Edge
from sync.inventory.scan.protocol import spoken_at
from sync.organization.organizations import next_version
from sync.store import tables
from sync.store.tables.column import KEY_OF, LOWER, Json, Time
from sync.tasks.frequency import frequency_of
from sync.tasks.schedule import Schedule, ScheduleKind, next_time
from tests.api.text import fold

# Few values, so that ties are common; each is there because some comparison treats it in a way of its own.
TEXTS = (
    "alpha", "Alpha", "ALPHA", "alphabet", "", " ", "100%", "100x", "a_b", "axb", "a\\b", "\\", "%", "_", "it's", '"q"',
    "straße", "STRASSE", "Äpfel", "äpfel", "İstanbul", "i̇stanbul", "日本", "😀 smile", "zeta", "Zeta", "9", "10",
    "Dvor\u030ca\u0301k", "Dvo\u0159\u00e1k", "Dvorak", "\u0131stanbul", "10.1", "9.3", "v9.3.0",
)  # fmt: skip
TIMES = (
    "0999-12-31T23:59:59.999Z",
    "2025-02-28T00:00:00.000Z",
    "2026-11-23T04:05:06.123Z",
    "2026-11-23T04:05:06.124Z",
    "2026-12-31T23:59:59.999Z",
)
NUMBERS = (0, 1, 2, 3)
POLICIES = (
    "None",
    "DisableStrongPassword",
    "disablepasswordexpiration",
    "DisableStrongPassword, DisablePasswordExpiration",
)
SERVICES: list[dict[str, Any]] = [
    {"port": 443, "protocol": "tcp", "product": None, "protocols": ["http", "tls"], "askedAt": TIMES[2]},
    {"port": 2, "protocol": "udp", "product": "Zeta"},
]
DETAIL: dict[str, Any] = {
    "osMatches": [{"name": "Linux 6.8", "accuracy": 96}],
    "cpe": ["cpe:/o:linux:linux_kernel:6"],
    "scripts": [{"script": "smb-os-discovery", "port": None, "protocol": None, "output": "Zeta"}],
}
OBJECTS = 24
OTHERS = ("servicePrincipal", "orgContact", "administrativeUnit", None)
# Edges that may end at an object without a row → the kind they begin at.
NAMING = {
    Edge.MEMBER: "group", Edge.GROUP_OWNER: "group", Edge.DEVICE_OWNER: "device", Edge.DEVICE_USER: "device",
    Edge.MANAGER: "user",
}  # fmt: skip
TOMBSTONE_EVERY = 6
TOMBSTONE = {"deleted_at": TIMES[2], "deletion": "SOFT"}
SCAN: dict[str, Any] = {
    "targets": ["10.0.0.0/24"], "excludes": [], "ports": "22", "rate": 100, "scanner": "NMAP", "azure_ad": True,
}  # fmt: skip
# So late that no clock of a test comes to it.
DUE = datetime(2999, 12, 31, tzinfo=UTC)
SCHEDULES = (Schedule(ScheduleKind.ONCE, moment=DUE), Schedule(ScheduleKind.DAILY, at="00:00", start=DUE))


class Rows:
    """Invents values for the columns of one organization's rows; the same seed gives the same rows."""

    def __init__(self, organization_id: int, seed: int) -> None:
        self.organization_id = organization_id
        self.chance = random.Random(seed)  # noqa: S311 - the same rows in every run
        self._enums = {
            field.column: [member.value for member in field.enum]
            for noun in NOUNS.values()
            for field in noun.fields.values()
            if field.enum is not None
        }

    def row(self, table: Table, **given: Any) -> dict[str, Any]:
        """Return a row; what is not given is invented, null in a third of the cases where null may stand."""
        given.setdefault("organization_id", self.organization_id)
        invented = {
            column.name: self._value(column)
            for column in table.columns
            # A text's sort key is made by the insert.
            if column.name not in given
            and KEY_OF not in column.info
            and not (column.primary_key and column.name == "id")
        }
        return invented | {name: value for name, value in given.items() if name in table.c}

    def pick(self, options: tuple[Any, ...] | list[Any]) -> Any:
        """Return one of the options."""
        return self.chance.choice(options)

    def texts(self) -> list[str]:
        """Return a list of up to three texts."""
        return self.chance.sample(TEXTS, self.chance.randrange(4))

    def _value(self, column: Column[Any]) -> Any:
        if column.name in ("deleted_at", "deletion", "skipped", "asset_id") or (
            column.nullable and self.chance.random() < 1 / 3
        ):
            return None
        if column.name in ("version", "created_version"):
            return 1
        if column.name == "password_policies":
            # Chosen by a text, so that all other values stay as they were.
            return POLICIES[len(self.pick(TEXTS)) % len(POLICIES)]
        if column in self._enums:
            return self.pick(self._enums[column])
        if isinstance(column.type, Boolean):
            return self.pick([True, False])
        if column.type is Time:
            return self.pick(TIMES)
        if column.type is Json:
            return self.texts()
        if isinstance(column.type, LargeBinary):
            # Digests are unique on the whole server.
            return self.organization_id.to_bytes(4) + self.chance.randbytes(16)
        if isinstance(column.type, Integer):
            return self.pick(NUMBERS)
        return fold(self.pick(TEXTS)) if column.info.get(LOWER) else self.pick(TEXTS)


async def furnish(tx: AsyncConnection, organization_id: int, *, seed: int) -> None:
    """Fill every table for an organization: sites, credentials, tasks, runs with a log, and a directory."""
    rows = Rows(organization_id, seed)
    await tx.run_sync(next_version, organization_id)
    sites = await _insert(
        tx, tables.sites, [rows.row(tables.sites, name=f"{text} site") for text in ("%", "alpha", "ß", "Z")]
    )
    await _work(tx, rows, sites)
    await _inventory(tx, rows, sites)
    # No row is of a version that the organization has not reached.
    mine = tables.organizations.c.id == organization_id
    await tx.execute(update(tables.organizations).where(mine).values(version=max(NUMBERS)))


async def _insert(tx: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> list[int]:
    result = await tx.execute(insert(table).returning(table.c.id, sort_by_parameter_order=True), rows)
    return list(result.scalars())


async def _work(tx: AsyncConnection, rows: Rows, sites: list[int]) -> None:
    """Write credentials, tasks, runs and their logs."""
    credentials = await _insert(
        tx,
        tables.credentials,
        [
            rows.row(tables.credentials, name=f"credential {number}", is_global=False, last_verification=None)
            for number in range(9)
        ],
    )
    tasks = await _insert(
        tx,
        tables.tasks,
        [
            rows.row(
                tables.tasks,
                site_id=rows.pick(sites),
                credential_id=rows.pick([None, *credentials]),
                scan=SCAN if number % 3 == 0 else None,
                **_schedule(number),
            )
            for number in range(12)
        ],
    )
    runs = await _insert(tx, tables.runs, [rows.row(tables.runs, **_run(rows, tasks)) for _ in range(20)])
    for number in range(1, 20, 3):
        retried = update(tables.runs).where(tables.runs.c.id == runs[number])
        await tx.execute(retried.values(retry_of_id=runs[number - 1], waits_for_id=runs[number - 1]))
    await tx.execute(
        insert(tables.run_log),
        [rows.row(tables.run_log, run_id=rows.pick(runs[:3]), facts={"n": number}) for number in range(40)],
    )
    await _alerts(tx, Rows(rows.organization_id, seed=1), runs)
    await tx.execute(insert(tables.audit_events), [rows.row(tables.audit_events) for _ in range(9)])
    await tx.execute(insert(tables.tokens), [rows.row(tables.tokens, role="VIEWER") for _ in range(3)])


async def _alerts(tx: AsyncConnection, rows: Rows, runs: list[int]) -> None:
    """Write webhooks with their logs; chance of their own leaves all other rows as they were."""
    hooks = await _insert(tx, tables.webhooks, [rows.row(tables.webhooks, **_hook(number)) for number in range(3)])
    given = {"status": "DELIVERED", "event": "RUN_FAILED", "next_attempt_at": None}
    await tx.execute(
        insert(tables.deliveries),
        [rows.row(tables.deliveries, webhook_id=rows.pick(hooks), run_id=rows.pick(runs), **given) for _ in range(9)],
    )


def _schedule(number: int) -> dict[str, Any]:
    """Return a task's schedule and whether it is paused, with the next time that follows from them."""
    schedule, paused = (None, *SCHEDULES)[number % 3], number % 4 == 0
    due = next_time(schedule, number, DUE - timedelta(days=1)) if schedule and not paused else None
    return {
        "schedule": schedule and schedule.stored(),
        "frequency": schedule and frequency_of(schedule),
        "paused": paused,
        "next_run_at": due and timestamp(due),
    }


def _hook(number: int) -> dict[str, Any]:
    return {"name": f"hook {number}", "url": "https://hooks.example/", "events": ["RUN_FAILED"]}


def _run(rows: Rows, tasks: list[int]) -> dict[str, Any]:
    error = {"code": "THROTTLED", "message": "Later.", "hint": None, "resource": "users", "retryable": True}
    return {
        "task_id": rows.pick(tasks),
        "retry_of_id": None,
        "waits_for_id": None,
        "due_at": None,
        # Ended: an engine that starts must find nothing to take up.
        "status": rows.pick(["SUCCEEDED", "PARTIAL", "FAILED", "STOPPED"]),
        "progress": {"users": {"done": 3, "total": None}},
        "counts": {"users": {"created": 3}},
        "requests": {"count": 4},
        "errors": rows.pick([[], [error]]),
    }


async def _inventory(tx: AsyncConnection, rows: Rows, sites: list[int]) -> None:
    """Write assets and one directory with users, groups, devices and edges, tombstones among them."""
    place = {"site_id": sites[0], "source": "azuread"}
    directory = (await _insert(tx, tables.directories, [rows.row(tables.directories, **place)]))[0]
    place["directory_id"] = directory
    assets = await _insert(tx, tables.assets, [_asset(rows, number, sites) for number in range(OBJECTS)])
    keys: dict[str, list[int]] = {}
    for kind, table in (("user", tables.users), ("group", tables.groups), ("device", tables.devices)):
        names = [f"{rows.organization_id}-{kind}-{number}" for number in range(OBJECTS)]
        objects = [{"directory_id": directory, "external_id": name, "kind": kind, "generation": 1} for name in names]
        keys[kind] = await _insert(tx, tables.objects, objects)
        made = [
            rows.row(table, id=key, external_id=name, **place, **_fate(number), **_of_device(kind, number, assets))
            for number, (key, name) in enumerate(zip(keys[kind], names, strict=True))
        ]
        await tx.execute(insert(table), made)
        await tx.execute(insert(tables.raw), [{"object_id": key, "item": {"id": key}} for key in keys[kind]])
    await _insert(
        tx, tables.scan_records, [_scanned(rows, sites[0], key) for _, key in _live(assets)[::2] for _ in range(2)]
    )
    await _insert(tx, tables.matches, [_match(rows, key, assets[n]) for n, key in _live(keys["device"])])
    await tx.execute(insert(tables.edges), _edges(rows, keys))
    await _others(tx, Rows(rows.organization_id, seed=2), directory, keys)


async def _others(tx: AsyncConnection, rows: Rows, directory: int, sources: Mapping[str, list[int]]) -> None:
    """Write objects without a row, one forgotten and one that nothing names; all other rows are as they were.

    Some of them are managers of users, in place of the ones they had.
    """
    made = [
        {
            "directory_id": directory,
            "external_id": f"{rows.organization_id}-other-{number}",
            "kind": rows.pick(OTHERS),
            "display_name": rows.pick((None, *TEXTS)),
            "generation": -1 if number == 0 else 0,
        }
        for number in range(OBJECTS // 2)
    ]
    keys = (await _insert(tx, tables.objects, made))[1:]
    ends = [
        (kind, source, rows.pick(keys[:-1]))
        for kind, of in NAMING.items()
        for source in (sources[of] if of == "group" else sources[of][1::3])
        for _ in range(1 if kind is Edge.MANAGER else rows.pick(NUMBERS))
    ]
    ends += [(kind, sources[of][0], keys[0] - 1) for kind, of in NAMING.items()]
    pairs = [{"kind": kind, "from_id": a, "to_id": b, "generation": 1} for kind, a, b in dict.fromkeys(ends)]
    # A user has one manager at most.
    managed = [source for kind, source, _ in ends if kind is Edge.MANAGER]
    before = tables.edges.c.from_id.in_(managed) & (tables.edges.c.kind == Edge.MANAGER)
    await tx.execute(delete(tables.edges).where(before))
    await tx.execute(insert(tables.edges), pairs)


def _asset(rows: Rows, number: int, sites: list[int]) -> dict[str, Any]:
    fate = {"deleted_at": TIMES[2], "source_mask": 0} if _is_gone(number) else {"deleted_at": None, "source_mask": 1}
    return rows.row(tables.assets, site_id=rows.pick(sites), **fate)


def _scanned(rows: Rows, site: int, asset: int) -> dict[str, Any]:
    services = rows.pick([[], SERVICES[:1], SERVICES])
    detail = rows.pick([None, {}, DETAIL])
    told = {"services": services, "protocols": spoken_at(services)}
    return rows.row(tables.scan_records, asset_id=asset, site_id=site, detail=detail, **told)


def _is_gone(number: int) -> bool:
    return number % TOMBSTONE_EVERY == TOMBSTONE_EVERY - 1


def _fate(number: int) -> dict[str, Any]:
    return dict(TOMBSTONE) if _is_gone(number) else {}


def _of_device(kind: str, number: int, assets: list[int]) -> dict[str, Any]:
    if kind != "device":
        return {}
    json = {"alternative_security_ids": [{"type": 2}], "extension_attributes": {"extensionAttribute1": None}}
    return {"asset_id": None if _is_gone(number) else assets[number], **json}


def _live(keys: list[int]) -> list[tuple[int, int]]:
    return [(number, key) for number, key in enumerate(keys) if not _is_gone(number)]


def _match(rows: Rows, device: int, asset: int) -> dict[str, Any]:
    return rows.row(tables.matches, object_id=device, asset_id=asset, source="azuread", key="new")


def _edges(rows: Rows, keys: Mapping[str, list[int]]) -> list[dict[str, int]]:
    ends = {
        Edge.MEMBER: [("group", "user"), ("group", "device"), ("group", "group")],
        Edge.GROUP_OWNER: [("group", "user")],
        Edge.DEVICE_OWNER: [("device", "user")],
        Edge.DEVICE_USER: [("device", "user")],
        Edge.MANAGER: [("user", "user")],
    }
    pairs = {
        (kind, source, rows.pick(keys[target]))
        for kind, ways in ends.items()
        for origin, target in ways
        for source in keys[origin]
        for _ in range(1 if kind is Edge.MANAGER else 3)
    }
    return [{"kind": kind, "from_id": source, "to_id": target, "generation": 1} for kind, source, target in pairs]
