"""What every object has is not lost by an item that comes without it, however pages are cut; null says it is gone."""

from __future__ import annotations

import pytest

from sync.inventory.directory.flaw import Flaw
from sync.inventory.directory.kind import DEVICE, GROUP, KINDS, USER, Kind
from sync.store.tables.column import graph_columns
from tests.sync.inventory.inventory import Inventory, Item, removed
from tests.sync.inventory.values import values_of

ALWAYS = {"accountEnabled", "displayName", "userPrincipalName"}
KEPT = [(kind, prop) for kind in KINDS for prop, _ in graph_columns(kind.table) if prop in ALWAYS]


def of(kind: Kind, prop: str) -> tuple[str, object]:
    """Return the column of a property, and a value that it had."""
    column = dict(graph_columns(kind.table))[prop]
    return column.name, values_of(prop, column)[0]


def test_every_kind_has_what_is_kept() -> None:
    """Names of all kinds, sign-in names of users, and whether users and devices are enabled."""
    assert [(kind.name, prop) for kind, prop in KEPT] == [
        *(("user", prop) for prop in ("accountEnabled", "displayName", "userPrincipalName")),
        ("group", "displayName"),
        *(("device", prop) for prop in ("accountEnabled", "displayName")),
    ]
    assert all(prop in kind.always for kind, prop in KEPT)


@pytest.mark.parametrize("full", [True, False], ids=["full", "changes"])
@pytest.mark.parametrize("together", [True, False], ids=["one page", "two pages"])
@pytest.mark.parametrize(("kind", "prop"), KEPT)
async def test_property_is_kept_and_counted_when_an_item_comes_without_it(
    inventory: Inventory, kind: Kind, prop: str, together: bool, full: bool
) -> None:
    """In one page or in two, in a full round or in one of changes: the value stays, and the page says so."""
    column, value = of(kind, prop)
    whole: Item = {"id": "x", "createdDateTime": "2026-01-02T03:04:05Z"} | {
        name: of(kind, name)[1] for known, name in KEPT if known is kind
    }
    less = {name: said for name, said in whole.items() if name not in (prop, "createdDateTime")}
    if together:
        applied = await inventory.page(kind, whole, less, full=full)
    else:
        await inventory.page(kind, whole)
        applied = await inventory.page(kind, less, full=full)
    assert await inventory.field(kind, "x", column) == value
    assert await inventory.field(kind, "x", "created_date_time") is None
    assert applied.flaws == {(Flaw.MISSING, prop): 1}


@pytest.mark.parametrize("together", [True, False], ids=["one page", "two pages"])
@pytest.mark.parametrize(("kind", "prop"), KEPT)
async def test_property_is_cleared_without_a_warning_when_it_is_null(
    inventory: Inventory, kind: Kind, prop: str, together: bool
) -> None:
    """An explicit null is what the directory says, and it is not undone by an item without the property."""
    column, value = of(kind, prop)
    items: tuple[Item, ...] = ({"id": "x"} | {name: of(kind, name)[1] for k, name in KEPT if k is kind},)
    items += (items[0] | {prop: None}, {name: said for name, said in items[0].items() if name != prop})
    flaws = []
    for page in [items] if together else [[item] for item in items]:
        flaws.append((await inventory.page(kind, *page)).flaws)
    assert await inventory.field(kind, "x", column) is None
    assert not any(flaws)
    await inventory.page(kind, items[0])
    assert await inventory.field(kind, "x", column) == value


async def test_new_object_without_a_name_has_none_and_is_no_fault(inventory: Inventory) -> None:
    """Graph leaves out what was never set: there is nothing to keep, and nothing to warn of."""
    applied = await inventory.page(GROUP, {"id": "g"}, {"id": "g"})
    assert not applied.flaws
    assert not (await inventory.page(GROUP, {"id": "g", "description": "D"})).flaws
    assert await inventory.field(GROUP, "g", "display_name") is None


async def test_restored_object_keeps_its_name_when_it_comes_without_it(inventory: Inventory) -> None:
    """An object on leave is the same one when it comes back."""
    await inventory.page(DEVICE, {"id": "d", "displayName": "PC", "accountEnabled": True})
    await inventory.page(DEVICE, removed("d", "changed"))
    applied = await inventory.page(DEVICE, {"id": "d", "accountEnabled": True})
    assert await inventory.field(DEVICE, "d", "display_name") == "PC"
    assert applied.flaws == {(Flaw.MISSING, "displayName"): 1}


async def test_nothing_is_kept_of_an_object_that_was_gone_for_good(inventory: Inventory) -> None:
    """A new object of the same id begins anew, whether its end came with its page or before."""
    whole: Item = {"id": "u", "displayName": "A", "accountEnabled": True, "userPrincipalName": "a@x"}
    for pages in ([(removed("u"), {"id": "u"})], [(removed("u"),), ({"id": "u"},)]):
        await inventory.page(USER, whole)
        flaws = [(await inventory.page(USER, *page)).flaws for page in pages]
        assert await inventory.field(USER, "u", "display_name") is None
        assert not any(flaws)


async def test_minimal_round_keeps_what_is_absent_without_a_warning(inventory: Inventory) -> None:
    """There an absent property means unchanged, and nothing is wrong with it."""
    await inventory.page(USER, {"id": "u", "displayName": "A"})
    applied = await inventory.page(USER, {"id": "u", "city": "B"}, full=False, minimal=True)
    assert await inventory.field(USER, "u", "display_name") == "A"
    assert not applied.flaws


async def test_item_without_a_name_changes_nothing_when_nothing_else_has_changed(inventory: Inventory) -> None:
    """The row is as it was, so it is not written; the page tells of it each time."""
    await inventory.page(GROUP, {"id": "g", "displayName": "G"})
    before = await inventory.version()
    applied = await inventory.page(GROUP, {"id": "g"})
    assert (dict(+applied.counts), applied.flaws) == ({"unchanged": 1}, {(Flaw.MISSING, "displayName"): 1})
    assert await inventory.version() == before
