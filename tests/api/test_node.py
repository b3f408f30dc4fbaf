"""Look-ups by id alone: everything that has an id is found by it, and nothing that the caller may not see."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from schema.access import Role, least_role
from schema.field.registry import NOUNS
from tests.api.lists import id_of
from tests.api.world import World

NODE = "query($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
MISSING = {f"{noun.prefix}_99999999" for noun in NOUNS.values()}


async def keys_of(world: World, noun: str, organization: int) -> list[str]:
    """Return the ids of all rows of a noun in an organization that are not tombstones, read past the schema."""
    table = NOUNS[noun].table
    mine = table.c.id if noun == "Organization" else table.c.organization_id
    rows = await world.read(select(table).where(mine == organization).order_by(table.c.id))
    return [id_of(noun, row) for row in rows if row.get("deleted_at") is None]


WITH_ORGANIZATION = sorted(
    name for name, noun in NOUNS.items() if name == "Organization" or "organization_id" in noun.table.c
)


@pytest.mark.parametrize("noun", WITH_ORGANIZATION)
async def test_node_is_found_when_its_id_is_given(world: World, noun: str) -> None:
    """Every row of every kind is found by its id, and says what it is."""
    caller = world.caller(Role.SUPERUSER, world.beta)
    ids = await keys_of(world, noun, world.beta)
    assert ids
    assert await caller.data(NODES, ids=ids) == {"nodes": [{"__typename": noun, "id": id} for id in ids]}
    assert await caller.data(NODE, id=ids[0]) == {"node": {"__typename": noun, "id": ids[0]}}
    assert await caller.data(NODES, ids=[id.upper() for id in ids]) == await caller.data(NODES, ids=ids)


@pytest.mark.parametrize("noun", [noun for noun in WITH_ORGANIZATION if noun != "Organization"])
async def test_node_is_null_when_it_is_another_organizations(world: World, noun: str) -> None:
    """A foreign row and a missing one look alike, alone and among others."""
    caller = world.caller(Role.ADMINISTRATOR, world.gamma)
    foreign = await keys_of(world, noun, world.beta)
    assert await caller.data(NODE, id=foreign[0]) == {"node": None}
    assert await caller.data(NODES, ids=foreign) == {"nodes": [None] * len(foreign)}


async def test_node_is_null_when_nothing_has_the_id(world: World) -> None:
    """An id that nothing has is no error."""
    data = await world.caller(Role.SUPERUSER).data(NODES, ids=sorted(MISSING))
    assert data == {"nodes": [None] * len(MISSING)}


@pytest.mark.parametrize("noun", WITH_ORGANIZATION)
@pytest.mark.parametrize("role", list(Role))
async def test_node_is_null_when_the_role_may_not_see_its_kind(world: World, noun: str, role: Role) -> None:
    """What an id leads to needs the role that its type needs elsewhere; its existence is not told."""
    ids = await keys_of(world, noun, world.beta)
    least = least_role(noun)
    assert least is not None
    data = await world.caller(role, world.beta).data(NODE, id=ids[0])
    assert (data["node"] is not None) is role.reaches(least)


async def test_nodes_keep_their_order_when_kinds_are_mixed(world: World) -> None:
    """Answers stand where their ids stood: mixed, repeated, and with nulls between."""
    users, groups = await keys_of(world, "User", world.beta), await keys_of(world, "Group", world.beta)
    ids = [users[2], groups[1], "asset_99999999", users[0], users[2], groups[0]]
    data = await world.caller(organization=world.beta).data(NODES, ids=ids)
    assert [node and node["id"] for node in data["nodes"]] == [*ids[:2], None, *ids[3:]]


async def test_nodes_show_the_fields_of_their_kinds(world: World) -> None:
    """Fragments read what each kind has."""
    user = (await keys_of(world, "User", world.beta))[0]
    text = "query($id: ID!) { node(id: $id) { ... on User { externalId site { id } } ... on Group { kind } } }"
    data = await world.caller(organization=world.beta).data(text, id=user)
    assert data["node"]["externalId"].startswith(f"{world.beta}-user-")


@pytest.mark.parametrize("wrong", ["", "1", "x_1", "asset_", "asset_0", "asset_01", "asset_1 ", "nothing_1"])
async def test_node_is_refused_when_it_is_not_an_id(world: World, wrong: str) -> None:
    """What is not an id of any kind is BAD_USER_INPUT, and the message says where it stands."""
    assert (await world.caller().ask(NODE, id=wrong)).problems[0].facts["path"] == "id"
    answer = await world.caller().ask(NODES, ids=["asset_1", wrong])
    assert answer.code == "BAD_USER_INPUT"
    assert answer.problems[0].facts["path"] == "ids[1]"


async def test_nodes_are_answered_at_the_limit_and_refused_beyond_it(world: World) -> None:
    """A thousand ids are read in a few statements; one more is refused."""
    ids = [f"user_{90_000_000 + number}" for number in range(1_001)]
    assert len((await world.caller().data(NODES, ids=ids[:1_000]))["nodes"]) == 1_000
    assert (await world.caller().ask(NODES, ids=ids)).code == "BAD_USER_INPUT"
