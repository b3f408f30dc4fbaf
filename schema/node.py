"""Look-ups by nothing but an id: it tells its kind, and what a caller may not see is as absent as what is not there."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

import strawberry
from strawberry.types import Info

from schema.access import least_role
from schema.arguments import ID, IDS, argument
from schema.context import Context
from schema.fields import NOUNS, Noun, Record
from schema.ids import decode_id, prefix_of
from sync.errors import BadInput

IDS_MAX = 1_000


def node() -> Any:
    """Declare `Query.node`."""

    async def resolve(root: Any, info: Any, id: Any) -> Any:
        return await _load(info.context, *_decoded(id, "id"))

    resolve.__annotations__ = {"info": Info, "id": argument(strawberry.ID, ID), "return": Optional[Record]}  # noqa: UP045
    return strawberry.field(
        resolver=resolve, description="Anything, by its id; null if it is not there for this caller."
    )


def nodes() -> Any:
    """Declare `Query.nodes`."""

    async def resolve(root: Any, info: Any, ids: Any) -> Any:
        if len(ids) > IDS_MAX:
            raise BadInput(f"ids has {len(ids)} values; at most {IDS_MAX} are allowed.", path="ids")
        # All are read before any is loaded, so that a wrong one costs no query.
        wanted = [_decoded(id, f"ids[{place}]") for place, id in enumerate(ids)]
        return await asyncio.gather(*(_load(info.context, noun, key) for noun, key in wanted))

    resolve.__annotations__ = {
        "info": Info,
        "ids": argument(list[strawberry.ID], IDS),
        "return": list[Optional[Record]],  # noqa: UP045 - Strawberry reads these at run time
    }
    text = f"Several things by their ids, at most {IDS_MAX:,}, in the same order; null for one that is not there."
    return strawberry.field(resolver=resolve, description=text)


def _decoded(text: str, path: str) -> tuple[Noun, int]:
    prefix = prefix_of(text)
    for noun in NOUNS.values():
        if noun.prefix == prefix:
            return noun, decode_id(text, noun.prefix, noun.name, path)
    raise BadInput("This is not an id.", hint="An id names its kind, such as asset_12.", path=path)


async def _load(context: Context, noun: Noun, key: int) -> Any:
    least = least_role(noun.name)
    # The document only says that anything is asked for: what the id leads to needs a role of its own.
    if least is None or not context.principal.role.reaches(least):
        return None
    return await context.load(noun.name, key)
