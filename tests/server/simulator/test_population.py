"""The generated directory: shapes, determinism, laziness."""

from __future__ import annotations

import json
import re
import tracemalloc
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from server.simulator import Simulator
from server.simulator.graph.property import SORTS
from tests.server.simulator.conftest import open_client

CSDL = json.loads((Path(__file__).parent / "graph_csdl_subset.json").read_text())
DYNAMIC = {"createdDateTime": "DateTimeOffset", "extensionAttributes": "onPremisesExtensionAttributes"}


def declared(type_name: str) -> dict[str, str]:
    entity = CSDL["entityTypes"][type_name]
    properties: dict[str, str] = entity["properties"]
    return (declared(entity["base"]) if entity["base"] else {}) | properties


def fits(value: Any, type_name: str) -> bool:
    if value is None:
        return True
    collection = re.fullmatch(r"Collection\((\w+)\)", type_name)
    if collection:
        return isinstance(value, list) and all(v is not None and fits(v, collection[1]) for v in value)
    if type_name in CSDL["complexTypes"]:
        properties = CSDL["complexTypes"][type_name]["properties"]
        return isinstance(value, dict) and all(n in properties and fits(v, properties[n]) for n, v in value.items())
    if type_name == "DateTimeOffset":
        return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value))
    if type_name == "Guid":
        return isinstance(value, str) and bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value))
    return isinstance(value, {"String": str, "Binary": str, "Boolean": bool, "Int32": int}[type_name])


@pytest.mark.parametrize("kind", SORTS)
def test_objects_have_only_csdl_properties_of_the_declared_type(kind: str) -> None:
    """Each generated property is one that Graph declares or documents, with a value of its type."""
    simulator = Simulator(users=600, devices=600, groups=300, seed=3)
    types = declared(SORTS[kind].type_name) | (DYNAMIC if kind == "devices" else {})
    not_nullable = CSDL["entityTypes"][SORTS[kind].type_name]["notNullable"]
    for values in simulator.directory.truth(kind):
        for name, value in values.items():
            assert name in types, name
            assert fits(value, types[name]), (name, value)
            assert value is not None or name not in not_nullable, name


@pytest.mark.parametrize("kind", SORTS)
def test_property_tables_equal_the_csdl(kind: str) -> None:
    """The names that $select accepts are the declared ones, and none lives in two places."""
    sort = SORTS[kind]
    extra = set(DYNAMIC) if kind == "devices" else set()
    assert sort.known | sort.outside == set(declared(sort.type_name)) | extra
    assert not sort.known & sort.outside
    assert set(sort.default) <= sort.known


def test_tenant_is_the_same_byte_for_byte_with_the_same_seed() -> None:
    """Seed and sizes alone decide ids, properties, edges, secrets; another seed shares none of the ids."""
    first, again, other = (Simulator(users=90, devices=80, groups=40, seed=seed) for seed in (5, 5, 6))
    for kind in SORTS:
        assert list(first.directory.truth(kind)) == list(again.directory.truth(kind))
        assert not set(first.directory.ids(kind)) & set(other.directory.ids(kind))
    assert list(first.directory.edges("members")) == list(again.directory.edges("members"))
    assert first.secret_app == again.secret_app
    assert (first.tenant_id, first.tenant_domain) == (again.tenant_id, again.tenant_domain)


async def test_page_bytes_are_the_same_with_the_same_seed() -> None:
    """Two processes that simulate the same tenant render the same objects into the same bytes."""
    bodies = []
    for _ in range(2):
        async with open_client(Simulator(users=300, devices=10, groups=10, seed=5)) as client:
            bodies.append((await client.get("/v1.0/users?$select=displayName,mail")).content)
    assert bodies[0] == bodies[1]


async def test_million_objects_cost_nothing_when_not_read() -> None:
    """A tenant of three million objects starts at once, in memory that does not grow with it."""
    tracemalloc.start()
    simulator = Simulator(users=1_000_000, devices=1_000_000, groups=1_000_000, seed=1)
    async with open_client(simulator) as client:
        page = (await client.get("/v1.0/users/delta?$select=displayName")).json()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(page["value"]) == 200
    assert peak < 16 * 1024 * 1024
    assert simulator.directory.population.link_count("members", 0) == 100_000


def test_ids_are_guids_that_lead_back_to_their_object(simulator: Simulator) -> None:
    """Every id is a version 4 GUID, is unique, is found again, and a foreign GUID is not found."""
    ids = [i for kind in SORTS for i in simulator.directory.ids(kind)]
    assert len(set(ids)) == len(ids) == 450 + 420 + 60
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", i) for i in ids)
    assert simulator.directory.kind_of(ids[0].upper().lower()) == "users"
    assert simulator.directory.kind_of("11111111-2222-4333-8444-555555555555") is None


def test_groups_come_in_every_kind_with_nesting_and_a_cycle(simulator: Simulator) -> None:
    """Tests and demos find security, Microsoft 365, mail-enabled, distribution, dynamic, hidden and nested groups."""
    groups = list(simulator.directory.truth("groups"))
    shapes = {("Unified" in g["groupTypes"], g["securityEnabled"], g["mailEnabled"]) for g in groups}
    assert shapes == {(True, False, True), (False, True, False), (False, True, True), (False, False, True)}
    assert any("DynamicMembership" in g["groupTypes"] and g["membershipRule"] for g in groups)
    assert any(g.get("visibility") == "HiddenMembership" for g in groups)
    edges = set(simulator.directory.edges("members"))
    a, b, c = (groups[n]["id"] for n in (1, 2, 3))
    assert {(a, b), (b, c), (c, a)} <= edges
    assert len([e for e in edges if e[0] == groups[0]["id"]]) == 225
    assert not [e for e in edges if e[0] == groups[7]["id"]]


def test_memberships_average_about_thirty_a_group() -> None:
    """The edge count of a big tenant is realistic: about thirty members a group."""
    population = Simulator(users=100_000, devices=100_000, groups=2_000, seed=2).directory.population
    counts = [population.link_count("members", n) for n in range(1, 2_000)]
    assert 25 < sum(counts) / len(counts) < 40


def test_membership_answers_alike_from_both_ends(simulator: Simulator) -> None:
    """A user's groups are exactly the groups that list the user."""
    edges = list(simulator.directory.edges("members"))
    for user in list(simulator.directory.ids("users"))[:40]:
        assert set(simulator.directory.groups_of(user)) == {source for source, target in edges if target == user}


def test_names_hold_many_scripts_marks_and_emoji(simulator: Simulator) -> None:
    """What breaks a naive client is there: right-to-left text, combining marks, emoji, two forms of one letter."""
    text = "".join(v["displayName"] for v in Simulator(users=3000, seed=1).directory.truth("users"))
    kinds = {unicodedata.bidirectional(c) for c in text}
    assert {"L", "R", "AL", "NSM"} <= kinds
    assert any(ord(c) > 0xFFFF for c in text)
    assert any(unicodedata.combining(c) for c in text)


def test_people_and_machines_vary_as_in_a_real_tenant() -> None:
    """Guests, disabled, synchronised, unmanaged, stale, hybrid, duplicate-named objects are all there."""
    simulator = Simulator(users=1000, devices=1000, groups=50, seed=1)
    users, devices = (list(simulator.directory.truth(kind)) for kind in ("users", "devices"))
    assert 20 < sum(u["userType"] == "Guest" for u in users) < 120
    assert 20 < sum(not u["accountEnabled"] for u in users) < 120
    assert 250 < sum(u.get("onPremisesSyncEnabled") is True for u in users) < 500
    assert {d["trustType"] for d in devices} == {"AzureAd", "ServerAd", "Workplace"}
    assert 20 < sum(not d["accountEnabled"] for d in devices) < 120
    assert 50 < sum(d.get("approximateLastSignInDateTime", "9") < "2026-05" for d in devices) < 250
    names = [d["displayName"] for d in devices]
    assert names[96] == names[95]
    assert any(name.endswith(f".corp.{simulator.tenant_domain}") for name in names)
    assert len({u["userPrincipalName"] for u in users}) == 1000
    assert all(d["id"] != d["deviceId"] for d in devices)
    managers = dict(simulator.directory.edges("manager"))
    assert all(user != manager for user, manager in managers.items())
    assert len(managers) > 900
