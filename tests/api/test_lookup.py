"""Look-ups: one object by id or another unique key; exactly one key, of the right kind."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

import pytest
from sqlalchemy import select

from schema.access import Role
from schema.field.keys import written
from schema.field.registry import NOUNS
from sync.store import tables
from tests.api.caller import INVALID_REQUEST
from tests.api.lists import LISTS, caller_for, id_of, visible
from tests.api.text import fold
from tests.api.world import World
from tests.share import share

BY_ID = {
    "Asset": "asset(by: {id: $id})",
    "User": "user(by: {id: $id})",
    "Group": "group(by: {id: $id})",
    "Site": "site(id: $id)",
    "Organization": "organization(id: $id)",
    "Credential": "credential(id: $id)",
    "ApiToken": "apiToken(id: $id)",
    "AuditEvent": "auditEvent(id: $id)",
    "Task": "task(id: $id)",
    "TaskRun": "taskRun(id: $id)",
}


@pytest.mark.parametrize("noun", BY_ID)
async def test_object_is_found_when_its_id_is_given(world: World, noun: str) -> None:
    """Each row of a list is found again by its id, and carries it."""
    caller = caller_for(world, noun, world.beta)
    for row in await visible(world, noun, caller):
        data = await caller.data(f"query($id: ID!) {{ found: {BY_ID[noun]} {{ id }} }}", id=id_of(noun, row))
        assert data == {"found": {"id": id_of(noun, row)}}


@pytest.mark.parametrize("noun", BY_ID)
async def test_object_is_found_when_its_id_is_in_other_letter_case(world: World, noun: str) -> None:
    """Ids are read in any letter case, as other keys are; the answer has the one that the object has."""
    caller = caller_for(world, noun, world.beta)
    mine = id_of(noun, (await visible(world, noun, caller))[0])
    for text in (mine.upper(), mine.capitalize()):
        data = await caller.data(f"query($id: ID!) {{ found: {BY_ID[noun]} {{ id }} }}", id=text)
        assert data == {"found": {"id": mine}}


@pytest.mark.parametrize("noun", BY_ID)
async def test_object_is_null_when_there_is_none_of_that_id(world: World, noun: str) -> None:
    """An id of the right kind that nothing has is no error: the answer is null."""
    caller = caller_for(world, noun, world.beta)
    data = await caller.data(
        f"query($id: ID!) {{ found: {BY_ID[noun]} {{ id }} }}", id=f"{NOUNS[noun].prefix}_99999999"
    )
    assert data == {"found": None}


def recased(text: str) -> str:
    """Return a text in other letter case and normal form, where that is the same text."""
    return next(
        other for other in (normalize("NFD", text).upper(), normalize("NFD", text), text) if fold(other) == fold(text)
    )


WRONG_IDS = [
    "",
    "1",
    "x_1",
    "{p}",
    "{p}_",
    "{p}_0",
    "{p}_01",
    "{p}_-1",
    "{p}_1 ",
    " {p}_1",
    "{p}_1\n",
    "{p}_1;",
]


@pytest.mark.parametrize("noun", BY_ID)
async def test_object_is_refused_when_the_id_is_of_another_kind(world: World, noun: str) -> None:
    """A malformed id, or another noun's, is BAD_USER_INPUT before the database is asked."""
    prefix, other = NOUNS[noun].prefix, "user" if noun != "User" else "group"
    for wrong in (*WRONG_IDS, "{p}_" + "9" * 19, "{p}_\u0661", "{o}_1"):
        text = wrong.replace("{p}", prefix).replace("{o}", other)
        document = f"query($id: ID!) {{ x: {BY_ID[noun]} {{ id }} }}"
        answer = await caller_for(world, noun, world.beta).ask(document, id=text)
        assert answer.code == "BAD_USER_INPUT", text
        assert answer.problems[0].facts["path"] in ("id", "by.id")


@pytest.mark.parametrize(
    ("noun", "key", "column"),
    [
        ("User", "externalId", "external_id"),
        ("User", "userPrincipalName", "user_principal_name"),
        ("Group", "externalId", "external_id"),
        ("Asset", "name", "name"),
        ("Asset", "serial", "serial"),
        ("User", "email", "mail"),
        ("Group", "email", "mail"),
        ("Group", "displayName", "display_name"),
    ],
)
@pytest.mark.parametrize("place", ["home", "beta"])
async def test_object_is_found_by_another_key_when_one_row_has_it(
    world: World, noun: str, key: str, column: str, place: str
) -> None:
    """A key that one row has finds it; one that several have is refused by name, never guessed."""
    caller = world.caller(organization=getattr(world, place))
    rows = await visible(world, noun, caller)
    root = noun.lower()
    values = [row[column] for row in rows if row[column] is not None]
    for value in sorted(set(values))[:40]:
        answer = await caller.ask(f"query($v: String!) {{ {root}(by: {{{key}: $v}}) {{ id }} }}", v=recased(value))
        owners = [id_of(noun, row) for row in rows if row[column] is not None and fold(row[column]) == fold(value)]
        if len(owners) == 1:
            assert answer.ok() == {root: {"id": owners[0]}}
        else:
            assert answer.code == "BAD_USER_INPUT"
            assert answer.problems[0].facts["path"] == f"by.{key}"


@pytest.mark.parametrize(("key", "column"), [("hostname", "names"), ("mac", "macs")])
@pytest.mark.parametrize("place", ["home", "beta"])
async def test_asset_is_found_by_a_name_or_mac_address_of_several(
    world: World, key: str, column: str, place: str
) -> None:
    """One of an asset's names, all of it, in any letter case, finds it; one that several have is refused."""
    caller = world.caller(organization=getattr(world, place))
    rows = await visible(world, "Asset", caller)
    names = sorted({element for row in rows for element in row[column]} | {"nobody", "%"})
    if key == "mac":
        names = [name for name in names if "-" not in name]
    for name in names[:40]:
        text = f"query($v: String!) {{ asset(by: {{{key}: $v}}) {{ id }} }}"
        answer = await caller.ask(text, v=name.upper() if fold(name.upper()) == fold(name) else name)
        owners = [id_of("Asset", row) for row in rows if fold(name) in map(fold, row[column])]
        if len(owners) > 1:
            assert answer.code == "BAD_USER_INPUT"
            assert answer.problems[0].facts["path"] == f"by.{key}"
        else:
            assert answer.ok() == {"asset": {"id": owners[0]} if owners else None}


@pytest.mark.parametrize("value", ["00-1A-2B-3C-4D-5E", "00:1a:2B:3c:4d:5e", "001a.2b3c.4d5e", "001A2B3C4D5E"])
def test_mac_address_is_looked_up_in_the_stored_form_however_it_is_written(value: str) -> None:
    """Colons, hyphens, the dots of switches, or nothing at all; in capitals too."""
    assert written("mac", value) == "00:1a:2b:3c:4d:5e"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["home", "beta"])
async def test_asset_is_found_by_the_object_id_of_its_device(world: World, place: str) -> None:
    """A device's object id in the directory leads to its asset; another organization's, or a deleted one's, to null."""
    organization: int = getattr(world, place)
    caller = world.caller(organization=organization)
    shown = {row["id"] for row in await visible(world, "Asset", caller)}
    seen = 0
    for device in (await world.read(select(tables.devices)))[:: share(7, 1)]:
        text = "query($v: String!) { asset(by: {externalId: $v}) { id } }"
        found = (await caller.data(text, v=device["external_id"]))["asset"]
        mine = device["organization_id"] == organization and device["deleted_at"] is None
        is_there = mine and device["asset_id"] in shown
        assert found == ({"id": f"asset_{device['asset_id']}"} if is_there else None)
        seen += is_there
    assert seen


@pytest.mark.parametrize("value", ["nobody", "", "%", "' OR 1=1 --"])
async def test_object_is_null_when_no_row_has_the_key(world: World, value: str) -> None:
    """A key is compared exactly: no wildcard, no letter case, no empty match."""
    text = "query($v: String!) { user(by: {userPrincipalName: $v}) { id } }"
    assert await world.caller().data(text, v=value) == {"user": None}


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "a" * 1_001])
async def test_key_is_refused_when_no_stored_text_can_equal_it(world: World, value: str) -> None:
    """Characters that cannot be stored, and endless text, are BAD_USER_INPUT."""
    answer = await world.caller().ask("query($v: String!) { user(by: {externalId: $v}) { id } }", v=value)
    assert answer.code == "BAD_USER_INPUT"
    assert answer.problems[0].facts["path"] == "by.externalId"


@pytest.mark.parametrize(
    "by", [{}, {"id": None}, {"id": "user_1", "externalId": "x"}, {"externalId": None}, {"id": None, "externalId": "x"}]
)
async def test_look_up_is_refused_when_not_exactly_one_key_is_given(world: World, by: dict[str, Any]) -> None:
    """A one-of input takes exactly one key, and it is not null."""
    answer = await world.caller().ask("query($by: UserBy!) { user(by: $by) { id } }", by=by)
    assert answer.code == INVALID_REQUEST


async def test_viewer_is_the_token_that_asks(world: World) -> None:
    """viewer names the token, its role and its organization."""
    for role in Role:
        data = await world.caller(role).data("{ viewer { name role organization { id name } } }")
        organization = {"id": f"org_{world.home}", "name": "Default"}
        name = f"{role.value.lower()} of {world.home}"
        assert data == {"viewer": {"name": name, "role": role.value, "organization": organization}}


async def test_server_names_its_version_and_limits(world: World) -> None:
    """server tells the limits that are refused beyond, so that a program need not find them out."""
    data = await world.caller().data("{ server { version limits { name value } } }")
    limits = {limit["name"]: limit["value"] for limit in data["server"]["limits"]}
    assert limits["first"] == 1_000 and limits["in"] == 1_000
    assert data["server"]["version"]


def test_look_up_by_id_is_offered_for_every_list() -> None:
    """The table that drives these tests covers every noun that has a root list."""
    assert set(BY_ID) == set(LISTS)
