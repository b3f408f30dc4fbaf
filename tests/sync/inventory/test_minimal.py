"""What an absent property means: mostly no value on a default round, no change on a minimal one; null always clears."""

from __future__ import annotations

from typing import Any

import pytest

from sync.inventory.directory.kind import GROUP, KINDS, USER, Kind
from sync.store.tables.column import LOWER, graph_columns
from tests.sync.inventory.inventory import Inventory, Item, removed
from tests.sync.inventory.values import values_of


@pytest.mark.slow(cases=2)
@pytest.mark.parametrize("minimal", [False, True], ids=["default", "minimal"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_every_field_follows_what_the_next_item_says_of_it(
    inventory: Inventory, kind: Kind, minimal: bool
) -> None:
    """Each mapped field, absent, null and another value, after it had a value."""
    fields = [(prop, column, *values_of(prop, column)) for prop, column in graph_columns(kind.table)]
    whole: Item = {prop: value for prop, _, value, _ in fields}
    for prop, column, value, other in fields:
        said: dict[str, tuple[Item, Any]] = {
            "absent": ({}, value if minimal or prop in kind.always else None),
            "null": ({prop: None}, None),
            "value": ({prop: other}, other),
        }
        names = [f"{prop} {case}" for case in said]
        await inventory.page(kind, *({"id": name} | whole for name in names))
        nexts = [{"id": name} | item for name, (item, _) in zip(names, said.values(), strict=True)]
        await inventory.page(kind, *nexts, full=False, minimal=minimal)
        for name, (_, expected) in zip(names, said.values(), strict=True):
            if expected is not None and column.info.get(LOWER):
                expected = expected.lower()
            assert await inventory.field(kind, name, column.name) == expected, name


async def test_minimal_items_add_up_within_a_page_and_over_a_leave(inventory: Inventory) -> None:
    """Two items of one page, and a soft deletion between them, change only what they mention."""
    await inventory.page(USER, {"id": "u", "displayName": "A", "city": "B", "mail": "C"})
    items: tuple[Item, ...] = ({"id": "u", "displayName": "X"}, removed("u", "changed"), {"id": "u", "city": None})
    await inventory.page(USER, *items, full=False, minimal=True)
    assert await inventory.rows(USER) == {"u": "LIVE"}
    assert [await inventory.field(USER, "u", name) for name in ("display_name", "city", "mail")] == ["X", None, "C"]


async def test_minimal_item_begins_anew_when_the_object_was_gone_for_good(inventory: Inventory) -> None:
    """Nothing of a purged object's attributes comes back with a new one of its id."""
    await inventory.page(USER, {"id": "u", "displayName": "A", "city": "B"})
    await inventory.page(USER, removed("u"), {"id": "u", "city": "C"}, full=False, minimal=True)
    assert [await inventory.field(USER, "u", name) for name in ("display_name", "city")] == [None, "C"]


async def test_kind_of_a_group_is_kept_when_a_minimal_item_does_not_tell_it(inventory: Inventory) -> None:
    """What is computed from several properties is computed from all of them, mentioned or not."""
    await inventory.page(GROUP, {"id": "g", "groupTypes": ["Unified", "DynamicMembership"], "mailEnabled": True})
    await inventory.page(GROUP, {"id": "g", "displayName": "G"}, full=False, minimal=True)
    assert await inventory.field(GROUP, "g", "kind") == "MICROSOFT_365"
    assert await inventory.field(GROUP, "g", "is_dynamic") is True
