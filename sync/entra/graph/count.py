"""The number of objects in a collection, as Graph counts them: for progress and for the guard of a sweep only.

The count comes from an index that lags behind the directory; nothing is ever deleted because of it.

Source: learn.microsoft.com/graph/aad-advanced-queries
"""

from __future__ import annotations

import re

from sync.entra.graph.client import GraphClient
from sync.entra.graph.stream import Kind
from sync.errors import EntraError

_COUNT = re.compile(r"[0-9]{1,12}", re.ASCII)


async def count(client: GraphClient, kind: Kind) -> int | None:
    """Return the number of objects of a kind, or None when Graph does not tell it, for whatever reason.

    What is wrong for good shows when the objects themselves are read: that is what matters, and it says so.
    """
    try:
        text = await client.text(f"/{kind}/$count", headers={"ConsistencyLevel": "eventual"})
    except EntraError:
        return None
    return int(text) if _COUNT.fullmatch(text.strip()) else None
