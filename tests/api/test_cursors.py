"""Cursors belong to one list of one organization in one order under one filter; any other text is BAD_CURSOR."""

from __future__ import annotations

import base64
import random
import string
from typing import Any

import pytest

from schema.list.paging import CursorCodec
from sync.errors import BadCursor
from tests.api.caller import Caller
from tests.api.walk import document, nested_document
from tests.api.world import World

FUZZED, DECODED = 2_000, 10_000
ALPHABET = string.ascii_letters + string.digits + "-_"
USERS = document("User", "users")
ASSETS = document("Asset", "assets")
GROUP_USERS = nested_document("group(by: {id: $id})", "users", "fragment Node on User { id }")
GROUP_MEMBERS = nested_document(
    "group(by: {id: $id})",
    "members",
    "fragment Node on Member { ... on User { id } ... on Asset { id } ... on Group { id } }",
)


async def end_cursor(caller: Caller, text: str, field: str, **variables: Any) -> str:
    """Return a real cursor of a list."""
    data = await caller.data(text, first=3, **variables)
    cursor = (data.get("parent") or data)[field]["pageInfo"]["endCursor"]
    assert isinstance(cursor, str)
    return cursor


async def assert_bad(caller: Caller, text: str, cursor: str, **variables: Any) -> None:
    """Assert that a cursor is refused in both directions, by code and by name of the argument."""
    for paging, argument in (({"first": 3, "after": cursor}, "after"), ({"last": 3, "before": cursor}, "before")):
        answer = await caller.ask(text, **paging, **variables)
        assert answer.code == "BAD_CURSOR", cursor
        assert answer.problems[0].facts["path"] == argument


def mutate(chance: random.Random, cursor: str) -> str:
    """Return a text that is near a cursor, or far from any."""
    place = chance.randrange(len(cursor))
    other = chance.choice(ALPHABET + "=+/ \n%!é\0")
    return chance.choice(
        [
            cursor[:place],
            cursor[place + 1 :],
            cursor[:place] + other + cursor[place + 1 :],
            cursor[:place] + other + cursor[place:],
            cursor + other,
            cursor + cursor,
            cursor.swapcase(),
            "".join(chance.choices(ALPHABET, k=chance.randrange(80))),
            base64.urlsafe_b64encode(chance.randbytes(chance.randrange(1, 60))).decode(),
        ]
    )


@pytest.mark.parametrize(("text", "field"), [(USERS, "users"), (ASSETS, "assets")])
async def test_cursor_is_refused_when_it_is_any_other_text(world: World, text: str, field: str) -> None:
    """Of thousands of random, truncated and damaged cursors none is accepted, and none is another error."""
    caller = world.caller()
    cursor = await end_cursor(caller, text, field, orderBy=[{"field": "CREATED_AT"}])
    chance = random.Random(5)  # noqa: S311 - the same cursors in every run
    fuzzed = {mutate(chance, cursor) for _ in range(FUZZED // 2)} - {cursor}
    for wrong in fuzzed:
        answer = await caller.ask(text, first=1, after=wrong, orderBy=[{"field": "CREATED_AT"}])
        assert answer.code == "BAD_CURSOR", wrong


def test_cursor_is_refused_ten_thousand_times_when_it_is_damaged() -> None:
    """The codec itself: no truncated, damaged, foreign or invented text is read, and none is another error."""
    chance, codec = random.Random(6), CursorCodec(b"k" * 32, b"organization 1, users by name", 2)  # noqa: S311
    others = [CursorCodec(b"k" * 32, b"organization 2, users by name", 2), CursorCodec(b"l" * 32, codec.scope, 2)]
    for number in range(DECODED):
        values = [chance.choice(["Ann", None, True, 2**40]), number]
        cursor = codec.encode(values)
        assert codec.decode(cursor, "after") == values
        # What another list made of the same values is foreign even if it looks the same.
        for wrong in {mutate(chance, cursor)} - {cursor} | {chance.choice(others).encode(values)}:
            with pytest.raises(BadCursor):
                codec.decode(wrong, "after")


@pytest.mark.parametrize("wrong", ["", "0", "null", "=", "user_1", "a" * 100_000, "\0", "日本", "====", "e30", "W10"])
async def test_cursor_is_refused_when_it_is_made_up(world: World, wrong: str) -> None:
    """Texts that look like an id, a number, JSON or nothing are refused in either direction."""
    await assert_bad(world.caller(), USERS, wrong)


async def test_cursor_is_refused_when_it_is_spelled_another_way(world: World) -> None:
    """A cursor has one spelling: padding, white space and spare bits make another text."""
    caller = world.caller()
    cursor = await end_cursor(caller, USERS, "users")
    for wrong in (cursor + "=", cursor + "\n", " " + cursor, cursor[:5] + "!" + cursor[5:]):
        await assert_bad(caller, USERS, wrong)


async def test_cursor_is_accepted_by_another_caller_of_the_organization(world: World) -> None:
    """A cursor belongs to the organization, not to the token: a link can be handed on."""
    cursor = await end_cursor(world.caller(), USERS, "users")
    data = await world.caller().data(USERS, first=1, after=cursor)
    other = (
        await world.caller(organization=world.home).of(world.caller().principal.role).data(USERS, first=1, after=cursor)
    )
    assert data == other
    assert len(data["users"]["nodes"]) == 1


ELSEWHERE: dict[str, dict[str, Any]] = {
    "other filter": {"where": {"userType": {"eq": "Guest"}}},
    "filter left out": {"where": None},
    "other order": {"orderBy": [{"field": "CITY"}]},
    "other direction": {"orderBy": [{"field": "DISPLAY_NAME", "direction": "DESC"}]},
    "other nulls": {"orderBy": [{"field": "DISPLAY_NAME", "nulls": "LAST"}]},
    "one more key": {"orderBy": [{"field": "DISPLAY_NAME"}, {"field": "CITY"}]},
    "no order": {"orderBy": []},
}


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_cursor_is_refused_when_the_list_is_asked_another_way(world: World, name: str) -> None:
    """A cursor fits only the filter and the order it came from."""
    asked: dict[str, Any] = {"where": {"userType": {"ne": "Guest"}}, "orderBy": [{"field": "DISPLAY_NAME"}]}
    caller = world.caller()
    cursor = await end_cursor(caller, USERS, "users", **asked)
    changed = {name: value for name, value in (asked | ELSEWHERE[name]).items() if value is not None}
    await assert_bad(caller, USERS, cursor, **changed)


async def test_cursor_is_refused_when_it_comes_from_another_organization(world: World) -> None:
    """A cursor says nothing to anybody outside its organization."""
    cursor = await end_cursor(world.caller(organization=world.beta), USERS, "users")
    await assert_bad(world.caller(), USERS, cursor)


async def test_cursor_is_refused_when_it_comes_from_another_list(world: World) -> None:
    """Lists with the same kind of order do not take each other's cursors."""
    cursor = await end_cursor(world.caller(), ASSETS, "assets")
    await assert_bad(world.caller(), USERS, cursor)


@pytest.mark.parametrize(("text", "field"), [(GROUP_USERS, "users"), (GROUP_MEMBERS, "members")])
async def test_cursor_is_refused_when_it_comes_from_another_parent(world: World, text: str, field: str) -> None:
    """A cursor into one group's list is not one into another group's, nor into the root list."""
    caller = world.caller()
    groups = (await caller.data("{ groups(first: 1000) { nodes { id userCount } } }"))["groups"]["nodes"]
    one, other = [group["id"] for group in groups if group["userCount"] > 5][:2]
    cursor = await end_cursor(caller, text, field, id=one)
    await assert_bad(caller, text, cursor, id=other)
    await assert_bad(caller, USERS, cursor)
    assert (await caller.data(text, id=one, first=1, after=cursor))["parent"][field]["nodes"]


async def test_cursor_is_refused_when_its_values_are_forged(world: World) -> None:
    """A cursor holds the order's values and a signature; without the key nobody can make one for other values."""
    caller = world.caller()
    cursor = await end_cursor(caller, USERS, "users")
    packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    forged = base64.urlsafe_b64encode(packed[:16] + b"[1]").rstrip(b"=").decode()
    await assert_bad(caller, USERS, forged)
