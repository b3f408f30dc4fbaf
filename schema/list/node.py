"""Look-ups by id alone: the id names its kind, and a row that the caller may not see is null, like a missing one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Optional

import strawberry
from strawberry.types import Info

from schema.access import Role, least_role
from schema.context import Context
from schema.field.arguments import ID, IDS, argument
from schema.field.ids import decode_id, prefix_of
from schema.field.registry import NOUNS, Record
from schema.field.resolution import FORM, Named
from sync.errors import BadInput

IDS_MAX = 1_000


def node() -> Any:
    """Declare `Query.node`."""

    def sought(id: str) -> list[tuple[str, int]]:
        return [_decoded(id, "id")]

    async def resolve(root: Any, info: Any, id: Any) -> Any:
        return await _load(info.context, *sought(id)[0])

    resolve.__annotations__ = {"info": Info, "id": argument(strawberry.ID, ID), "return": Optional[Record]}  # noqa: UP045
    text = "Any row, by its id; null if it does not exist for this caller."
    return strawberry.field(resolver=resolve, description=text, metadata={FORM: Named(sought, is_many=False)})


def nodes() -> Any:
    """Declare `Query.nodes`."""

    def sought(ids: Sequence[str]) -> list[tuple[str, int]]:
        if len(ids) > IDS_MAX:
            raise BadInput(f"ids has {len(ids)} values; at most {IDS_MAX} are allowed.", path="ids")
        return [_decoded(id, f"ids[{place}]") for place, id in enumerate(ids)]

    async def resolve(root: Any, info: Any, ids: Any) -> Any:
        # Decode all ids before the first query, so that a wrong id costs none.
        return await asyncio.gather(*(_load(info.context, noun, key) for noun, key in sought(ids)))

    resolve.__annotations__ = {
        "info": Info,
        "ids": argument(list[strawberry.ID], IDS),
        "return": list[Optional[Record]],  # noqa: UP045 - Strawberry reads these at run time
    }
    text = f"Rows by their ids, at most {IDS_MAX:,}, in the same order; null for one that does not exist."
    return strawberry.field(resolver=resolve, description=text, metadata={FORM: Named(sought, is_many=True)})


def is_open(noun: str, role: Role) -> bool:
    """Return whether a role may see rows of a noun.

    The role that a document with `node` needs does not depend on the id, so each row is checked by its noun here.
    """
    least = least_role(noun)
    return least is not None and role.reaches(least)


def _decoded(text: str, path: str) -> tuple[str, int]:
    prefix = prefix_of(text)
    for noun in NOUNS.values():
        if noun.prefix == prefix:
            return noun.name, decode_id(text, noun.prefix, noun.name, path)
    raise BadInput("This is not an id.", hint="An id names its kind, such as asset_12.", path=path)


async def _load(context: Context, noun: str, key: int) -> Any:
    return await context.load(noun, key) if is_open(noun, context.principal.role) else None
