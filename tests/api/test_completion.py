"""Completion of search texts: what is offered fits, means what it says, and stays inside the organization."""

from __future__ import annotations

import random

import pytest

import schema.query  # noqa: F401 - fills the registry
from schema.access import Role
from schema.field.registry import FieldKind
from schema.search.api import Inventory
from schema.search.vocabulary.table import listed
from tests.api.caller import Caller
from tests.api.completing import COMPLETE, accept, complete
from tests.api.world import World
from tests.share import share

INVENTORIES = {member.name: member.value for member in Inventory}
LISTS = {name: "".join(part.title() for part in name.split("_")) for name in INVENTORIES}
LISTS = {name: words[0].lower() + words[1:] for name, words in LISTS.items()}


async def count(caller: Caller, inventory: str, text: str) -> int:
    """Count the rows that a search finds."""
    name = LISTS[inventory]
    return int(
        (await caller.data(f"query($text: String) {{ {name}(search: $text) {{ totalCount }} }}", text=text))[name][
            "totalCount"
        ]
    )


KEYWORDS = [
    (inventory, keyword.name, keyword.is_own and keyword.kind is not FieldKind.TIME)
    for inventory, noun in INVENTORIES.items()
    for keyword in listed(noun)
    if not keyword.uncollected
]


@pytest.mark.slow(cases=(30, 400))
@pytest.mark.parametrize(("inventory", "name", "is_counted"), KEYWORDS)
async def test_keyword_and_its_values_are_offered_and_count_what_they_find(
    world: World, inventory: str, name: str, is_counted: bool
) -> None:
    """The beginning of a keyword offers it; each of its values, put in, finds as many rows as it says.

    Values of the rows themselves have a count: there are few rows, so that each of them is read.
    """
    caller = world.caller(role=Role.SUPERUSER)
    half = name[: len(name) // 2 + 1]
    names = await complete(caller, inventory, half)
    (item,) = [item for item in names["items"] if item["label"] == name and item["kind"] == "KEYWORD"]
    text = accept(half, names, item)
    assert text == f"{name}:"
    values = await complete(caller, inventory, text, first=30)
    for value in [one for one in values["items"] if one["kind"] == "VALUE"][:6]:
        found = await count(caller, inventory, accept(text, values, value))
        assert value["count"] == found or (value["count"] is None and not is_counted), value


async def test_value_is_found_by_its_beginning_and_by_a_part(world: World) -> None:
    """In any letter case; values that begin with what was typed come first."""
    caller = world.caller()
    name = (await caller.data("{ users(first: 1) { nodes { displayName } } }"))["users"]["nodes"][0]["displayName"]
    for typed in (name[:3], name[:3].upper()):
        offered = await complete(caller, "USERS", f'display_name:"{typed}')
        assert name in [item["label"] for item in offered["items"]]
        assert offered["start"] == len("display_name:")


async def test_text_of_each_value_means_that_value(world: World) -> None:
    """Quotes and wildcards in a name are written so that they are letters, also in lists and behind other quotes."""
    caller = world.caller()
    for value in (await complete(caller, "GROUPS", "display_name:", first=100))["items"]:
        if value["kind"] == "VALUE":
            assert await count(caller, "GROUPS", f"display_name:{value['text']}") >= 1
    for text in ("display_name:zzz,", 'display_name:"zz z",', "display_name:“", "display_name:'"):
        offered = await complete(caller, "GROUPS", text)
        for value in [one for one in offered["items"] if one["kind"] == "VALUE"][:5]:
            assert await count(caller, "GROUPS", accept(text, offered, value)) >= 1, value


STEPS = {
    "ASSETS": [
        ("sour", "source:", "source:azuread"),
        ("source:azuread scann", "scanned:", "source:azuread scanned:false"),
        ("NOT source:az", "azuread", "NOT source:azuread"),
        ("owner.acc", "owner.account_enabled:", "owner.account_enabled:false"),
        ("last_seen:>90", "90days", "last_seen:>90days"),
    ],
    "GROUPS": [("NOT ha", "has:", "NOT has:owner")],
}


@pytest.mark.parametrize(
    ("inventory", "typed", "label", "text"), [(name, *step) for name, steps in STEPS.items() for step in steps]
)
async def test_search_is_typed_by_accepting_what_is_offered(
    world: World, inventory: str, typed: str, label: str, text: str
) -> None:
    """The searches of the cookbook are reached from their first letters."""
    caller = world.caller()
    for _ in range(3):
        offered = await complete(caller, inventory, typed)
        fitting = [accept(typed, offered, item) for item in offered["items"]]
        (best,) = [one for one in fitting if text.startswith(one) and len(one) > len(typed)] or [""]
        if not best:
            break
        typed = best
        if typed == text:
            break
        # A person goes on typing the first letters of what comes next.
        rest = text[len(typed) :]
        typed += rest[: max(2, len(rest) // 2)]
    assert typed == text, label


async def test_values_of_another_organization_are_never_offered(world: World) -> None:
    """Names of users, groups and assets, own and related, are those of the caller's organization."""
    for who in (world.caller(), world.caller(organization=world.beta)):
        for inventory, text in (
            ("USERS", "display_name:"),
            ("ASSETS", "name:"),
            ("ASSETS", "owner:"),
            ("USERS", "group:"),
        ):
            offered = await complete(who, inventory, text, first=20)
            assert any(item["kind"] == "VALUE" for item in offered["items"]), text
            target = {"owner:": "USERS", "group:": "GROUPS"}.get(text, inventory)
            column = "name" if target == "ASSETS" else "display_name"
            for item in [one for one in offered["items"] if one["kind"] == "VALUE"]:
                own = item["text"] if item["text"].startswith("=") else f"={item['text']}"
                assert await count(who, target, f"{column}:{own}") >= 1, item


async def test_values_of_what_the_role_may_not_read_are_not_offered(world: World) -> None:
    """A viewer, who may not list credentials, is not told their names by the keyword of tasks either."""
    for inventory, text in (("TASKS", "credential:"), ("CREDENTIALS", "name:"), ("API_TOKENS", "name:")):
        offered = await complete(world.caller(role=Role.VIEWER), inventory, text)
        assert [item for item in offered["items"] if item["kind"] == "VALUE"] == []


async def test_range_is_counted_in_utf16_units(world: World) -> None:
    """An emoji before the cursor counts two, as in an editor."""
    caller, text = world.caller(), 'name:"😀" sour'
    offered = await complete(caller, "ASSETS", text)
    (item,) = [item for item in offered["items"] if item["label"] == "source"]
    assert (offered["start"], offered["end"]) == (10, 14)
    assert accept(text, offered, item) == 'name:"😀" source:'


@pytest.mark.slow
async def test_any_place_of_any_text_is_answered(world: World) -> None:
    """A text that is half typed is no error, wherever the cursor stands."""
    chance, caller = random.Random(5), world.caller()  # noqa: S311
    parts = [
        "owner.",
        "os:",
        '"',
        "win",
        "NOT ",
        "(",
        ")",
        "<",
        ">",
        "=",
        "@azuread.",
        " ",
        "AND ",
        "\\",
        "has:",
        ",",
        "😀",
        "x",
        "-",
        "“",
        "'",
    ]
    for _ in range(share(10, 300)):
        text = "".join(chance.choice(parts) for _ in range(chance.randrange(1, 8)))
        for cursor in range(0, len(text) + 2, share(3, 1)):
            offered = await complete(caller, chance.choice(["ASSETS", "USERS", "GROUPS"]), text, cursor, first=5)
            assert 0 <= offered["start"] <= offered["end"] <= 2 * len(text)


async def test_size_out_of_range_is_refused(world: World) -> None:
    """The error names the argument and the range."""
    answer = await world.caller().ask(COMPLETE, inventory="ASSETS", text="", first=0)
    assert "`first` must be 1 to 100" in answer.problems[0].message
