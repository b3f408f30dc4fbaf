"""Completion for user interfaces: the items to offer at the cursor, and the range that they replace."""

from __future__ import annotations

import enum
from typing import Any, cast

import strawberry

from schema.context import Context
from schema.field.registry import NOUNS
from schema.limit.expected import about
from schema.search.api import SearchValueKind
from schema.search.completion.items import Item, ItemKind, items_at
from schema.search.completion.place import place_at, place_of
from schema.search.token import units
from sync.errors import BadInput

FIRST_DEFAULT, FIRST_MAX = 20, 100
_KINDS = {
    "KEYWORD": "A keyword; a value follows.",
    "RELATION": "Related rows; one of their keywords follows.",
    "ATTRIBUTE": "An attribute of a source; a value follows.",
    "OPERATOR": "An operator before a value.",
    "VALUE": "A value.",
    "JOINER": "AND, OR or NOT.",
}
SearchItemKind: Any = strawberry.enum(
    cast(
        Any,
        enum.Enum(
            "SearchItemKind",
            {name: strawberry.enum_value(name, description=text) for name, text in _KINDS.items()},
        ),
    ),
    description="Kinds of completion items.",
)


@strawberry.type(description="A text that may stand at the cursor of a search text.")
class SearchCompletionItem:
    text: str = strawberry.field(description="The replacement for the range, quoted if needed.")
    label: str = strawberry.field(description="The text to show in a list.")
    detail: str = strawberry.field(description="A sentence about it.")
    kind: SearchItemKind = strawberry.field(description="The kind of the item.")
    count: int | None = strawberry.field(
        description="Of a value: the number of rows that have it; null if they were not counted."
    )
    value_kind: SearchValueKind | None = strawberry.field(
        description="Of a keyword or attribute: the kind of its values."
    )
    target: str | None = strawberry.field(description="Of a relation: the type of the related rows.")
    group_by: str | None = strawberry.field(
        description="Of a keyword: the `field` of `groupBy` that counts its values; null if there is none."
    )


@strawberry.type(description="The items to offer at the cursor of a search text.")
class SearchCompletion:
    start: int = strawberry.field(description="UTF-16 units before the range that an item replaces.")
    end: int = strawberry.field(description="UTF-16 units up to the end of that range.")
    items: list[SearchCompletionItem] = strawberry.field(
        description="The items, the most likely first.", metadata=about(FIRST_DEFAULT)
    )
    is_complete: bool = strawberry.field(
        description="Whether these are all items; if not, typing more brings up further values."
    )


async def complete_search(
    context: Context, inventory: Any, text: str, cursor: int | None, first: int
) -> SearchCompletion:
    """List the items to offer at the cursor; an unfinished text is no error.

    Raises:
        BadInput: `first` is out of range.
    """
    if not 1 <= first <= FIRST_MAX:
        raise BadInput(f"`first` must be 1 to {FIRST_MAX}; it is {first}.", path="first")
    place = place_of(text, len(text) if cursor is None else place_at(text, cursor))
    items, is_complete = await items_at(context, NOUNS[inventory.value], place)
    return SearchCompletion(
        start=units(text[: place.start]),
        end=units(text[: place.end]),
        items=[_shown(item) for item in items[:first]],
        is_complete=is_complete and len(items) <= first,
    )


def _shown(item: Item) -> SearchCompletionItem:
    names_values = item.keyword is not None and item.kind is not ItemKind.VALUE
    return SearchCompletionItem(
        text=item.text,
        label=item.label,
        detail=item.detail,
        kind=SearchItemKind[item.kind.name],
        count=item.count,
        value_kind=SearchValueKind[item.keyword.kind.name] if item.keyword and names_values else None,
        target=item.relation.target if item.relation else None,
        group_by=item.group_by,
    )
