"""The number of objects in a collection, as Graph counts them: for progress and for the guard of a sweep only.

The count comes from an index that lags behind the directory; it never causes a deletion.

Source: learn.microsoft.com/graph/aad-advanced-queries
"""

from __future__ import annotations

import re

from sync.entra.graph.client import GraphClient
from sync.entra.graph.stream import Kind
from sync.errors import EntraError

_COUNT = re.compile(r"[0-9]{1,12}", re.ASCII)


async def count(client: GraphClient, kind: Kind) -> int | None:
    """Return the number of objects of a kind; None if Graph does not give it, for any reason.

    A lasting error is raised when the objects themselves are read.
    """
    try:
        text = await client.text(f"/{kind}/$count", headers={"ConsistencyLevel": "eventual"})
    except EntraError:
        return None
    return int(text) if _COUNT.fullmatch(text.strip()) else None
