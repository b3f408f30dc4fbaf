"""How the rows of an organization hang together, in plain Python: what filters across relations are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from schema.access import Role
from schema.field.registry import NOUNS, Noun
from sync.inventory.directory.kind import Edge
from sync.store import tables
from tests.api.lists import caller_for, column_of, visible
from tests.api.predicate import COUNTS, Where, compare, holds_together
from tests.api.world import Row, World

LOADED = ("User", "Group", "Asset", "Task", "TaskRun", "Site", "Organization", "Credential", "DirectoryObject")
# Noun → relation → (edge, the noun's end of it, the target). A device stands for its asset.
EDGES = {
    "User": {
        "groups": (Edge.MEMBER, "to", "Group"), "owned_groups": (Edge.GROUP_OWNER, "to", "Group"),
        "manager": (Edge.MANAGER, "from", "User"), "other_manager": (Edge.MANAGER, "from", "DirectoryObject"),
        "direct_reports": (Edge.MANAGER, "to", "User"),
        "owned_assets": (Edge.DEVICE_OWNER, "to", "Asset"), "registered_assets": (Edge.DEVICE_USER, "to", "Asset"),
    },
    "Group": {
        "users": (Edge.MEMBER, "from", "User"), "groups": (Edge.MEMBER, "from", "Group"),
        "assets": (Edge.MEMBER, "from", "Asset"), "member_of": (Edge.MEMBER, "to", "Group"),
        "owners": (Edge.GROUP_OWNER, "from", "User"),
        "other_members": (Edge.MEMBER, "from", "DirectoryObject"),
        "other_owners": (Edge.GROUP_OWNER, "from", "DirectoryObject"),
    },
    "DirectoryObject": {
        "groups": (Edge.MEMBER, "to", "Group"), "owned_groups": (Edge.GROUP_OWNER, "to", "Group"),
        "owned_assets": (Edge.DEVICE_OWNER, "to", "Asset"), "registered_assets": (Edge.DEVICE_USER, "to", "Asset"),
        "direct_reports": (Edge.MANAGER, "to", "User"),
    },
    "Asset": {
        "owners": (Edge.DEVICE_OWNER, "from", "User"), "registered_users": (Edge.DEVICE_USER, "from", "User"),
        "other_owners": (Edge.DEVICE_OWNER, "from", "DirectoryObject"),
        "other_registered_users": (Edge.DEVICE_USER, "from", "DirectoryObject"),
        "groups": (Edge.MEMBER, "to", "Group"),
    },
}  # fmt: skip
KEYS = {
    "User": {"site": ("Site", "site_id")},
    "Group": {"site": ("Site", "site_id")},
    "Asset": {"site": ("Site", "site_id"), "organization": ("Organization", "organization_id")},
    "Task": {
        "site": ("Site", "site_id"),
        "credential": ("Credential", "credential_id"),
        "retry_of": ("TaskRun", "retry_of_id"),
    },
    "TaskRun": {
        "task": ("Task", "task_id"),
        "retry_of": ("TaskRun", "retry_of_id"),
        "waits_for": ("TaskRun", "waits_for_id"),
    },
    "Site": {"organization": ("Organization", "organization_id")},
    "Credential": {"organization": ("Organization", "organization_id")},
}
BACKWARDS = {
    "Organization": {"sites": ("Site", "organization_id"), "assets": ("Asset", "organization_id")},
    "Site": {"assets": ("Asset", "site_id"), "tasks": ("Task", "site_id")},
    "Task": {"runs": ("TaskRun", "task_id")},
}


class Links:
    """All rows an administrator of an organization may see, by noun and key, and the relations between them.

    Not a dataclass: a failing test would print all of it.

    Args:
        asset_of: device → asset, of the devices that are there.
        tenants: directory → what tells its tenant from others.
    """

    def __init__(
        self,
        rows: Mapping[str, Mapping[int, Row]],
        edges: list[Row],
        asset_of: Mapping[int, int],
        tenants: Mapping[int, Any],
    ) -> None:
        self.rows, self.asset_of, self._tenants = rows, asset_of, tenants
        # (noun, tenant, id in the directory) → the sites that list the object.
        self.sites_of: dict[tuple[str, Any, str], list[int]] = {}
        for noun in ("User", "Group"):
            for row in rows[noun].values():
                self.sites_of.setdefault((noun, *self._object(row)), []).append(row["site_id"])
        # (kind, which end, object) → the objects at the other end.
        self.far: dict[tuple[int, str, int], list[int]] = {}
        for edge in edges:
            self.far.setdefault((edge["kind"], "from", edge["from_id"]), []).append(edge["to_id"])
            self.far.setdefault((edge["kind"], "to", edge["to_id"]), []).append(edge["from_id"])
        self.devices: dict[int, list[int]] = {}
        for device, asset in asset_of.items():
            self.devices.setdefault(asset, []).append(device)

    @classmethod
    async def read(cls, world: World, organization: int) -> Links:
        """Read an organization past the schema."""
        rows: dict[str, dict[int, Row]] = {}
        for noun in LOADED:
            caller = caller_for(world, noun, organization).of(Role.ADMINISTRATOR)
            found = await visible(world, noun, caller)
            if noun == "Organization":
                found = [row for row in found if row["id"] == organization]
            rows[noun] = {row["id"]: row for row in found}
        devices = [row for row in await world.rows(tables.devices, organization) if row["asset_id"] is not None]
        rows["AzureAdDevice"] = {row["id"]: row for row in devices}
        rows["ScanRecord"] = {row["id"]: row for row in await world.rows(tables.scan_records, organization)}
        edges = await world.read(select(tables.edges))
        tenants = {
            row["id"]: (row["source"], row["cloud"], row["tenant_id"].lower())
            for row in await world.read(select(tables.directories))
        }
        return cls(rows, edges, {row["id"]: row["asset_id"] for row in devices}, tenants)

    def _object(self, row: Row) -> tuple[Any, str]:
        return self._tenants[row["directory_id"]], row["external_id"]

    def related(self, noun: str, relation: str, row: Row) -> list[Row]:
        """Return the rows a relation leads to, each once."""
        target, keys = self._keys(noun, relation, row)
        return [self.rows[target][key] for key in dict.fromkeys(keys) if key in self.rows[target]]

    def _keys(self, noun: str, relation: str, row: Row) -> tuple[str, Iterable[Any]]:
        if relation == "azure_ad":
            return "AzureAdDevice", self.devices.get(row["id"], [])
        if relation == "scan":
            found = self.rows["ScanRecord"].values()
            return "ScanRecord", [record["id"] for record in found if record["asset_id"] == row["id"]]
        if relation == "sites" and noun in ("User", "Group"):
            return "Site", self.sites_of.get((noun, *self._object(row)), [])
        if relation == "last_run":
            return "TaskRun", sorted(r["id"] for r in self.rows["TaskRun"].values() if r["task_id"] == row["id"])[-1:]
        if relation in KEYS.get(noun, {}):
            target, key = KEYS[noun][relation]
            return target, [row.get(key)]
        if relation in BACKWARDS.get(noun, {}):
            target, key = BACKWARDS[noun][relation]
            return target, [other["id"] for other in self.rows[target].values() if other[key] == row["id"]]
        kind, end, target = EDGES[noun][relation]
        mine = [row["id"]] if noun != "Asset" else self.devices.get(row["id"], [])
        far = [other for key in mine for other in self.far.get((kind, end, key), ())]
        return target, far if target != "Asset" else [self.asset_of.get(key) for key in far]

    def matches(self, noun: Noun, where: Where, row: Row) -> bool:
        """Tell whether a row is among those a `where` asks for, relations included."""
        return all(self._holds(noun, name, value, row) for name, value in where.items())

    def _holds(self, noun: Noun, name: str, value: Any, row: Row) -> bool:
        if name in ("and", "or", "not"):
            return holds_together(name, value, lambda part: self.matches(noun, part, row))
        relation = next((r for r in noun.relations.values() if r.graphql_name == name), None)
        if relation is None:
            field = next(field for field in noun.fields.values() if field.graphql_name == name)
            # What an object that is no such row does not have is missing.
            found = f"{noun.prefix}_{row['id']}" if name == "id" else row.get(column_of(field))
            return all(compare(field, operator, found, wanted) for operator, wanted in value.items())
        target, others = NOUNS[relation.target], self.related(noun.name, relation.name, row)
        if relation.others:
            others = [*others, *self.related(noun.name, relation.others, row)]
        if not relation.is_many:
            return any(self.matches(target, value, other) for other in others)
        return all(self._counts(target, others, how, part) for how, part in value.items())

    def _counts(self, target: Noun, others: list[Row], how: str, part: Any) -> bool:
        if how == "exists":
            return bool(others) is part
        if how == "count":
            return all(COUNTS[operator](len(others), number) for operator, number in part.items())
        held = [self.matches(target, part, other) for other in others]
        return {"some": any(held), "none": not any(held), "every": all(held)}[how]
