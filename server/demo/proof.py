"""Compares every object, field and edge of the inventory, read by GraphQL, with the simulated tenant's data."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from schema import build_schema
from schema.field.attribute import graph_name
from schema.field.registry import NOUNS, Field
from server.demo.client import Client
from sync.inventory.directory.item import read_time
from sync.store.tables.column import Time

KINDS = {"User": "users", "Group": "groups", "AzureAdDevice": "devices"}
EDGES = {
    "members": "members",
    "groupOwners": "group owners",
    "deviceOwners": "device owners",
    "deviceUsers": "device users",
    "manager": "managers",
}
_DIFFERENCES_MAX = 10
_PAGE = "pageInfo{hasNextPage endCursor}"
_NESTED = 30


@dataclass
class Proof:
    """The result of the comparison; the inventory equals the tenant if `differences` is empty."""

    objects: int = 0
    edges: int = 0
    memberships: int = 0
    differences: list[str] = field(default_factory=list)

    def compare(self, what: str, ours: Any, theirs: Any) -> None:
        """Note `what` if the values differ; at most `_DIFFERENCES_MAX` are noted."""
        if ours != theirs and len(self.differences) < _DIFFERENCES_MAX:
            self.differences.append(what)


class Truth:
    """A client of the simulator's admin API, which tells the tenant's real data."""

    def __init__(self, origin: str, ca_file: str, key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=origin,
            headers={"Authorization": f"Bearer {key}"},
            verify=ssl.create_default_context(cafile=ca_file),
            trust_env=False,
            timeout=60,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def rows(self, path: str) -> AsyncIterator[Any]:
        """Yield the objects of a kind, or the pairs of an edge."""
        async with self._http.stream("GET", f"/_simulator/truth/{path}") as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line:
                    yield orjson.loads(line)

    async def faults(self) -> dict[str, int]:
        """Return how often each fault has happened so far."""
        response = await self._http.get("/_simulator/requests")
        response.raise_for_status()
        found: dict[str, int] = response.json()["faults"]
        return found


async def prove(client: Client, truth: Truth) -> Proof:
    """Compare everything; disabled devices must be missing, all others must belong to an asset."""
    build_schema()
    proof, inventory = Proof(), _Inventory(client)
    await inventory.read()
    # The sync must leave out disabled devices (hidden), and members of groups with hidden membership (closed).
    hidden: set[str] = set()
    closed: set[str] = set()
    for noun, kind in KINDS.items():
        ours = inventory.objects[kind]
        async for item in truth.rows(kind):
            if kind == "devices" and item.get("accountEnabled") is False:
                hidden.add(item["id"])
                continue
            if item.get("visibility") == "HiddenMembership":
                closed.add(item["id"])
            proof.objects += 1
            proof.compare(f"{kind} {item['id']}", ours.pop(item["id"], None), _expected(noun, item))
        proof.compare(f"{len(ours)} {kind} too many", ours, {})
    for name, described in EDGES.items():
        mine = inventory.edges[name]
        theirs = {
            (source, target)
            async for source, target in truth.rows(f"edges/{name}")
            if source not in hidden and not (name == "members" and source in closed)
        }
        proof.edges += len(mine)
        proof.compare(f"{described}: {len(mine - theirs)} too many, {len(theirs - mine)} missing", mine, theirs)
    proof.memberships = len(inventory.edges["members"])
    return proof


class _Inventory:
    """All objects and edges, read through the public API."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.objects: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS.values()}
        self.edges: dict[str, set[tuple[str, str]]] = {name: set() for name in EDGES}

    async def read(self) -> None:
        await self._read_users()
        await self._read_devices()
        await self._read_groups()

    async def _read_users(self) -> None:
        document = _document("users", 1000, f"externalId {_selection('User')} manager{{externalId}}")
        async for node in self._client.each(document, "users"):
            user, manager = node.pop("externalId"), node.pop("manager")
            self.objects["users"][user] = node
            if manager:
                self.edges["manager"].add((user, manager["externalId"]))

    async def _read_devices(self) -> None:
        related = {"registeredOwners": "deviceOwners", "registeredUsers": "deviceUsers", "groups": "members"}
        document = _document("assets", 100, f"azureAd{{id externalId {_selection('AzureAdDevice')} {_lists(related)}}}")
        async for node in self._client.each(document, "assets"):
            for device in node["azureAd"]:
                key, external_id = device.pop("id"), device.pop("externalId")
                for name, edge in related.items():
                    async for other in self._all(key, "AzureAdDevice", name, device.pop(name)):
                        # A membership leads from the group to the device.
                        self.edges[edge].add((other, external_id) if edge == "members" else (external_id, other))
                self.objects["devices"][external_id] = device

    async def _read_groups(self) -> None:
        related = {"owners": "groupOwners", "users": "members", "groups": "members", "otherMembers": "members"}
        document = _document("groups", 150, f"id externalId {_selection('Group')} {_lists(related)}")
        async for node in self._client.each(document, "groups"):
            key, group = node.pop("id"), node.pop("externalId")
            for name, edge in related.items():
                self.edges[edge] |= {(group, other) async for other in self._all(key, "Group", name, node.pop(name))}
            self.objects["groups"][group] = node

    async def _all(self, key: str, noun: str, name: str, page: dict[str, Any]) -> AsyncIterator[str]:
        """Yield the ids of a nested list: those of the page that came with its parent, then of all further pages."""
        document = f"""
            query($id: ID!, $after: String) {{
              node(id: $id) {{
                ... on {noun} {{ {name}(first: 1000, after: $after) {{ {_PAGE} nodes {{ externalId }} }} }}
              }}
            }}"""
        while True:
            for other in page["nodes"]:
                yield other["externalId"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            page = (await self._client.ask(document, id=key, after=page["pageInfo"]["endCursor"]))["node"][name]


def _document(root: str, first: int, selection: str) -> str:
    return f"query($after:String){{{root}(first:{first} after:$after){{{_PAGE} nodes{{{selection}}}}}}}"


def _lists(names: Iterable[str]) -> str:
    """Return a selection of the first items of nested lists, few enough for the limit of cost."""
    return " ".join(f"{name}(first:{_NESTED}){{{_PAGE} nodes{{externalId}}}}" for name in names)


def _fields(noun: str) -> dict[str, Field]:
    """Return GraphQL name → field for the fields that mirror a Graph property."""
    return {field.graphql_name: field for field in NOUNS[noun].fields.values() if graph_name(field)}


def _selection(noun: str) -> str:
    return " ".join(_fields(noun))


def _expected(noun: str, item: dict[str, Any]) -> dict[str, Any]:
    expected = {}
    for name, declared in _fields(noun).items():
        value = item.get(graph_name(declared) or "")
        expected[name] = read_time(value) if declared.column.type is Time else value
    return expected
