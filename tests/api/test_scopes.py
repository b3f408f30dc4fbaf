"""Whatever leads to rows, of whatever kind, leads to those of the caller's organization: made from the registry.

Two organizations have rows of every kind, and every reference that may be null, whoever holds it, points at a row of
the other one: nothing but the scope of what it leads to keeps that row out of an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    is_interface_type,
    is_required_argument,
    is_union_type,
)
from sqlalchemy import Column, Table, select, update
from sqlalchemy.dialects import sqlite

from schema.access import Principal, Role, least_role
from schema.field.registry import NOUNS
from sync.runtime import Runtime
from sync.store import tables
from tests.api.caller import Caller
from tests.api.lists import SCHEMA, id_of, without_row
from tests.api.world import World

PAIRS = [(noun, role) for noun in NOUNS for role in Role]
MANY = 1000
# A key of a look-up that is no field of its noun → the column of texts, or list of them, that it is found in.
FOUND_IN: dict[str, Column[Any]] = {
    "Asset.hostname": tables.assets.c.names,
    "Asset.mac": tables.assets.c.macs,
    "Asset.externalId": tables.devices.c.external_id,
}


def owner_of(table: Table) -> tuple[Column[int], Column[int] | None]:
    """Return what tells whose a row is: its organization, or its key of the row that tells it, and that one's."""
    if table is tables.organizations:
        return table.c.id, None
    if "organization_id" in table.c:
        return table.c.organization_id, None
    ((key, owner),) = [
        (key.parent, key.column.table.c.organization_id)
        for key in table.foreign_keys
        if "organization_id" in key.column.table.c
    ]
    return key, owner


async def ids_of(world: World, noun: str, organization: int) -> list[str]:
    """Return the ids of an organization's rows of a kind that are no tombstones, read past the schema."""
    table = NOUNS[noun].table
    if noun == "DirectoryObject":
        return [id_of(noun, row) for row in await without_row(world, await world.read(select(table)), organization)]
    key, owner = owner_of(table)
    rows = select(table).order_by(table.c.id)
    if owner is None:
        rows = rows.where(key == organization)
    else:
        rows = rows.join(owner.table, owner.table.c.id == key).where(owner == organization)
    return [id_of(noun, row) for row in await world.read(rows) if row.get("deleted_at") is None]


def references() -> Iterator[tuple[Column[Any], Table]]:
    """Yield every reference of a row of a noun to a row of another that may be null."""
    nouns = {noun.table for noun in NOUNS.values() if noun.name != "Organization"}
    for table in nouns:
        for key in table.foreign_keys:
            # A device of a group is shown as the asset that it is: without it there is no answer.
            if key.column.table in nouns and key.parent.nullable and key.parent is not tables.devices.c.asset_id:
                yield key.parent, key.column.table


@pytest.fixture(scope="module")
async def crossed(office: World) -> World:
    """Return an installation in which every second reference between rows leads into the other organization."""
    office.gamma = await office.new_organization("Gamma", seed=22)
    async with office.runtime.store.write() as tx:
        for column, target in references():
            for mine, other in ((office.beta, office.gamma), (office.gamma, office.beta)):
                foreign = select(target.c.id).where(target.c.organization_id == other).limit(1).scalar_subquery()
                own = (column.table.c.organization_id == mine) & (column.table.c.id % 2 == 0)
                await tx.execute(update(column.table).where(own).values({column: foreign}))
    return office


def leads_to(type_: Any) -> set[str]:
    """Return the nouns that rows of a type of the schema may be."""
    named = get_named_type(type_)
    name = str(named.name).removesuffix("Connection")
    if is_union_type(named):
        return {member.name for member in named.types}
    if is_interface_type(named):
        return {member.name for member in SCHEMA.get_implementations(named).objects}
    if name != named.name:
        return leads_to(named.fields["nodes"].type)
    return {name} & set(NOUNS)


def selection(field: GraphQLField) -> str:
    """Write what is asked of a field that leads to rows: what each one is, and how many there are."""
    named = get_named_type(field.type)
    if named.name.endswith("Connection"):
        return f"(first: {MANY}) {{ totalCount nodes {{ __typename ... on Node {{ id }} }} }}"
    return "{ __typename ... on Node { id } }"


def relations(noun: str, role: Role) -> list[str]:
    """Write each field of a noun that leads to rows and is open to a role."""
    type_ = SCHEMA.type_map[noun]
    assert isinstance(type_, GraphQLObjectType)
    return [
        f"{name} {selection(field)}"
        for name, field in type_.fields.items()
        if leads_to(field.type) and is_open(f"{noun}.{name}", role)
    ]


def shown(answer: Any) -> Iterator[str]:
    """Yield every id in an answer."""
    if isinstance(answer, dict):
        yield from ([answer["id"]] if isinstance(answer.get("id"), str) else [])
        for part in answer.values():
            yield from shown(part)
    elif isinstance(answer, list):
        for part in answer:
            yield from shown(part)


def lists(answer: Any) -> Iterator[Any]:
    """Yield every connection in an answer."""
    if isinstance(answer, dict):
        yield from ([answer] if "totalCount" in answer else [])
    for part in answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ():
        yield from lists(part)


async def assert_own(world: World, caller: Caller, answer: Any) -> None:
    """Assert that an answer names rows of the caller's organization alone, and counts no others."""
    mine = await all_ids(world, caller)
    assert set(shown(answer)) <= mine
    for listed in lists(answer):
        assert listed["totalCount"] == len(listed["nodes"])


async def all_ids(world: World, caller: Caller) -> set[str]:
    """Return the ids of everything in the caller's organization; a superuser sees the others' names besides."""
    organization, is_super = caller.principal.organization_id, caller.principal.role is Role.SUPERUSER
    known = _known.setdefault(world.runtime, {})
    if organization not in known:
        known[organization] = {id for noun in NOUNS for id in await ids_of(world, noun, organization)}
    return known[organization] | (
        {f"org_{key}" for key in (world.home, world.beta, world.gamma)} if is_super else set()
    )


# Nothing here makes or removes a row.
_known: WeakKeyDictionary[Runtime, dict[int, set[str]]] = WeakKeyDictionary()


def callers(world: World, role: Role) -> Iterator[tuple[Caller, int]]:
    """Yield a caller of each of the two organizations, and the other one."""
    yield world.caller(role, world.beta), world.gamma
    yield world.caller(role, world.gamma), world.beta


def is_open(coordinate: str, role: Role) -> bool:
    """Tell whether a role may read a field, or see rows of a kind."""
    least = least_role(coordinate)
    assert least is not None
    return role.reaches(least)


@pytest.mark.parametrize(("noun", "role"), PAIRS)
def test_scope_names_the_organization_of_its_caller(noun: str, role: Role) -> None:
    """No noun is open to everybody: what chooses its rows has the caller's organization in it."""
    if (noun, role) == ("Organization", Role.SUPERUSER):
        return
    entry = NOUNS[noun]
    chosen = (
        select(entry.table.c.id).where(entry.scope(Principal(1, 4711, role, "x"))).compile(dialect=sqlite.dialect())
    )
    assert 4711 in chosen.params.values()


@pytest.mark.parametrize("noun", NOUNS)
async def test_every_kind_of_row_is_in_both_organizations(crossed: World, noun: str) -> None:
    """The tests here mean something for each noun."""
    assert await ids_of(crossed, noun, crossed.beta) and await ids_of(crossed, noun, crossed.gamma)


@pytest.mark.parametrize(("noun", "role"), PAIRS)
async def test_node_is_null_when_it_belongs_to_another_organization(crossed: World, noun: str, role: Role) -> None:
    """By `node` and `nodes` a caller reaches the rows of its organization that its role may see, and no others."""
    for caller, other in callers(crossed, role):
        own = await ids_of(crossed, noun, caller.principal.organization_id)
        foreign = await ids_of(crossed, noun, other)
        mine = await all_ids(crossed, caller)
        ids = [foreign[0], *own, *foreign]
        expected = [{"id": id} if id in mine and is_open(noun, role) else None for id in ids]
        data = await caller.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
        assert data["nodes"] == expected
        data = await caller.data("query($id: ID!) { node(id: $id) { id } }", id=foreign[0])
        assert data["node"] == expected[0]


@pytest.mark.slow(cases=10)
@pytest.mark.parametrize(("noun", "role"), PAIRS)
async def test_relation_leads_to_rows_of_the_organization_alone(crossed: World, noun: str, role: Role) -> None:
    """From any row of any kind, whatever its fields lead to is the organization's own, and so is what they count."""
    for caller, _ in callers(crossed, role):
        ids = await ids_of(crossed, noun, caller.principal.organization_id)
        inner = " ".join(relations(noun, role)) or "__typename"
        data = await caller.data(
            f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {noun} {{ {inner} }} }} }}", ids=ids
        )
        await assert_own(crossed, caller, data)


def roots(*arguments: str) -> Iterator[tuple[str, GraphQLField]]:
    """Yield each field of Query that leads to rows and requires these arguments and no others."""
    assert SCHEMA.query_type
    for name, field in SCHEMA.query_type.fields.items():
        required = [name for name, argument in field.args.items() if is_required_argument(argument)]
        if leads_to(field.type) and required == list(arguments):
            yield name, field


def keys() -> Iterator[tuple[str, str, str]]:
    """Yield each key of each look-up: the field, its noun, and the key's name."""
    for name, field in roots("id"):
        if name != "node":
            (noun,) = leads_to(field.type)
            yield name, noun, "id"
    for name, field in roots("by"):
        by = get_named_type(field.args["by"].type)
        assert isinstance(by, GraphQLInputObjectType)
        (noun,) = leads_to(field.type)
        yield from ((name, noun, key) for key in by.fields)


async def values_of(world: World, noun: str, key: str, organization: int) -> list[str]:
    """Return the values that rows of an organization have of a key of a look-up."""
    if key == "id":
        return await ids_of(world, noun, organization)
    fields = {field.graphql_name: field.column for field in NOUNS[noun].fields.values()}
    column: Any = FOUND_IN.get(f"{noun}.{key}", fields.get(key))
    rows = await world.read(select(column.label("value")).where(column.table.c.organization_id == organization))
    values = [value for row in rows for value in (row["value"] if isinstance(row["value"], list) else [row["value"]])]
    return sorted({value for value in values if value is not None})


@pytest.mark.slow(cases=15)
@pytest.mark.parametrize(("root", "noun", "key"), [*keys()])
@pytest.mark.parametrize("role", list(Role))
async def test_look_up_finds_nothing_of_another_organization(
    crossed: World, root: str, noun: str, key: str, role: Role
) -> None:
    """By no key does a look-up find, or tell of, a row of another organization."""
    is_by_id = root in dict(roots("id"))
    argument, type_ = "id: $value" if is_by_id else f"by: {{{key}: $value}}", "ID" if key == "id" else "String"
    text = f"query($value: {type_}!) {{ {root}({argument}) {{ id }} }}"
    for caller, other in callers(crossed, role):
        values = await values_of(crossed, noun, key, other)
        assert values
        mine = await all_ids(crossed, caller)
        for value in values[:9]:
            answer = await caller.ask(text, value=value)
            if answer.code is None:
                assert set(shown(answer.data)) <= mine
            else:
                assert answer.code == "FORBIDDEN" if not is_open(noun, role) else answer.code == "BAD_USER_INPUT"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("root", [name for name, _ in roots()])
async def test_list_shows_nothing_of_another_organization(crossed: World, root: str, role: Role) -> None:
    """A list has, and counts, rows of the caller's organization alone, whatever the role."""
    field = SCHEMA.query_type.fields[root]  # type: ignore[union-attr]
    for caller, _ in callers(crossed, role):
        inner = "{ id }"
        is_paged = get_named_type(field.type).name.endswith("Connection")
        text = f"(first: {MANY}) {{ totalCount nodes {inner} }}" if is_paged else inner
        answer = await caller.ask(f"{{ {root}{text} }}")
        if is_open(f"Query.{root}", role):
            await assert_own(crossed, caller, answer.ok())
        else:
            assert answer.code == "FORBIDDEN"


async def test_log_of_a_run_is_followed_by_its_own_organization_alone(crossed: World) -> None:
    """A subscription to a foreign run, or to its log, ends as that to a run that never was."""
    for root, argument in (("taskRun", "id"), ("taskLog", "run")):
        text = f"subscription($run: ID!) {{ {root}({argument}: $run) {{ id }} }}"
        for caller, other in callers(crossed, Role.ADMINISTRATOR):
            missing = await caller.ask(text, run="run_999999999")
            assert missing.code == "NOT_FOUND"
            for run in (await ids_of(crossed, "TaskRun", other))[:3]:
                assert await caller.ask(text, run=run) == missing
