"""The oracle: what the inventory should show, told by the directory itself and compared with the bare tables.

It shares no code with the mapping: values are taken from the simulator under Graph's names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from server.simulator import Simulator
from sync.clock import timestamp
from sync.inventory.directory.kind import DEVICE, KINDS, Edge, Kind
from sync.store import Store
from sync.store.tables import assets, devices, edges
from sync.store.tables.column import Time, graph_columns
from tests.end_to_end.installation import Installation

RELATIONS = {
    "members": Edge.MEMBER,
    "groupOwners": Edge.GROUP_OWNER,
    "deviceOwners": Edge.DEVICE_OWNER,
    "deviceUsers": Edge.DEVICE_USER,
    "manager": Edge.MANAGER,
}
Objects = dict[str, dict[str, Any]]


async def differences(installation: Installation, *, include_inactive: bool = False) -> list[str]:
    """List how the inventory differs from the directory; empty when they are equal."""
    store, simulator = installation.runtime.store, installation.simulator
    found: list[str] = []
    live: dict[int, str] = {}
    for kind in KINDS:
        rows, keys = await _rows(store, kind)
        live |= keys
        found += _compare(kind.plural, _truth(simulator, kind), rows)
    found += await _compare_edges(store, simulator, live)
    return found + await _compare_assets(store, _truth(simulator, DEVICE), include_inactive)


def _truth(simulator: Simulator, kind: Kind) -> Objects:
    """Return the live objects of a kind with the properties that have a column."""
    return {
        values["id"]: {prop: _stored(column, values.get(prop)) for prop, column in graph_columns(kind.table)}
        for values in simulator.directory.truth(kind.plural)
    }


def _stored(column: Any, value: Any) -> Any:
    if column.type is not Time or value is None:
        return value
    moment = datetime.fromisoformat(value)
    return None if moment.year == 1 else timestamp(moment)


async def _rows(store: Store, kind: Kind) -> tuple[Objects, dict[int, str]]:
    """Return the visible rows of a kind by external id, and their keys."""
    columns = list(graph_columns(kind.table))
    statement = select(kind.table.c.id, kind.table.c.external_id, *(column for _, column in columns))
    async with store.read() as tx:
        rows = (await tx.execute(statement.where(kind.table.c.deleted_at.is_(None)))).all()
    names = [prop for prop, _ in columns]
    return (
        {row.external_id: dict(zip(names, row[2:], strict=True)) for row in rows},
        {row.id: row.external_id for row in rows},
    )


def _compare(what: str, expected: Objects, found: Objects) -> list[str]:
    problems = [f"{what}: {name} is missing" for name in expected.keys() - found.keys()]
    problems += [f"{what}: {name} should not be there" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        problems += [
            f"{what}: {name}.{prop} is {found[name][prop]!r}, not {value!r}"
            for prop, value in expected[name].items()
            if found[name][prop] != value
        ]
    return problems


async def _compare_edges(store: Store, simulator: Simulator, live: dict[int, str]) -> list[str]:
    async with store.read() as tx:
        rows = (await tx.execute(select(edges.c.kind, edges.c.from_id, edges.c.to_id))).all()
    found = {(kind, live[source], live[target]) for kind, source, target in rows if source in live and target in live}
    # The app may not read the members of groups that hide them.
    hidden = {
        values["id"] for values in simulator.directory.truth("groups") if values.get("visibility") == "HiddenMembership"
    }
    expected = {
        (edge, source, target)
        for relation, edge in RELATIONS.items()
        for source, target in simulator.directory.edges(relation)
        if not (edge is Edge.MEMBER and source in hidden)
    }
    return [f"edge {Edge(edge[0]).name} {edge[1:]} is missing" for edge in expected - found] + [
        f"edge {Edge(edge[0]).name} {edge[1:]} should not be there" for edge in found - expected
    ]


async def _compare_assets(store: Store, expected: Objects, include_inactive: bool) -> list[str]:
    """Compare assets with the devices that should be linked to them: each active one to one that bears its name."""
    async with store.read() as tx:
        linked = (await tx.execute(select(devices.c.external_id, devices.c.asset_id, devices.c.skipped))).all()
        shown = (await tx.execute(select(assets).where(assets.c.deleted_at.is_(None)))).all()
    names = {row.id: row.names for row in shown}
    wanted = {
        name: values for name, values in expected.items() if include_inactive or values["accountEnabled"] is not False
    }
    problems = [f"asset {key} has no device" for key in names.keys() - {row.asset_id for row in linked}]
    for row in linked:
        should, has = row.external_id in wanted, row.asset_id in names
        if should != has:
            problems.append(f"device {row.external_id} {'has no' if should else 'should have no'} asset")
        elif has and (name := wanted[row.external_id]["displayName"]) and name not in names[row.asset_id]:
            problems.append(f"asset of device {row.external_id} does not bear its name")
        inactive = row.external_id in expected and row.external_id not in wanted
        if (row.skipped == "INACTIVE") != inactive:
            problems.append(f"device {row.external_id} is skipped because of {row.skipped}")
    return problems
