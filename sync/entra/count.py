"""How many objects a collection holds, as Graph counts them: for progress and for the guard of a sweep only.

The count comes from an index that lags behind the directory; nothing is ever deleted because of it.

Source: learn.microsoft.com/graph/aad-advanced-queries
"""

from __future__ import annotations

import re

from sync.entra.client import GraphClient
from sync.entra.diagnose import malformed
from sync.entra.stream import Kind
from sync.errors import PermissionDenied, RequestRefused

_COUNT = re.compile(r"[0-9]{1,12}", re.ASCII)


async def count(client: GraphClient, kind: Kind) -> int | None:
    """Return the number of objects of a kind, or None when Graph refuses to count them.

    Raises:
        BadResponse: the answer is not a number.
        EntraError: everything else that `GraphClient.text` raises.
    """
    try:
        text = await client.text(f"/{kind}/$count", headers={"ConsistencyLevel": "eventual"})
    except (RequestRefused, PermissionDenied):
        return None
    if not _COUNT.fullmatch(text.strip()):
        raise malformed("a count that is not a number")
    return int(text)
