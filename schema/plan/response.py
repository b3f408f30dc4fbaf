"""Responses of plans, kept while nothing has been written since; the least recently asked for go first.

A response counts for one document, operation, set of variables and organization, and for one number of commits of the
store: every write transaction of this process, which on SQLite is the only writer, ends all of them at once.
"""

from __future__ import annotations

import gzip
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schema.limit.budget import Tally
from sync.trim import trimmed

RESPONSE_BYTES_MAX = 4 * 1024 * 1024
# Of the tables around a response; nobody fills the memory with empty ones.
OVERHEAD_BYTES = 1_024


@dataclass(frozen=True)
class Response:
    """An answer of a plan: its bytes, a tag that no other content has, and what it was last sent as, by form.

    `tally` holds the memory of the body until it is sent; that of a kept one is counted among the kept ones.
    """

    body: bytes
    tag: str
    tally: Tally | None = field(default=None, compare=False, repr=False)
    sent: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def compressed(self) -> bytes:
        """The body, gzipped once."""
        return gzip.compress(self.body, compresslevel=1, mtime=0)


class Responses:
    """The responses that are kept.

    Args:
        bytes_max: of all bodies together; 0 keeps none.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._commits = -1
        self._bytes = 0
        self._entries: OrderedDict[bytes, Response] = OrderedDict()
        # A tag of an earlier process must never fit a response of this one.
        self._nonce = secrets.token_bytes(16)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, commits: int) -> Response | None:
        """Return the response to a key, if it still counts."""
        if commits != self._commits:
            self._entries.clear()
            self._commits, self._bytes = commits, 0
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def keep(self, key: bytes, commits: int, body: bytes, tally: Tally | None = None) -> Response:
        """Return the response of a body read at a number of commits; it is kept unless something was written since."""
        tag = hashlib.sha256(self._nonce + commits.to_bytes(8) + key).hexdigest()[:32]
        size = len(body) + OVERHEAD_BYTES
        if commits != self._commits or size > min(RESPONSE_BYTES_MAX, self._bytes_max) or key in self._entries:
            return Response(body, tag, tally)
        response = self._entries[key] = Response(trimmed(body), tag)
        self._bytes += size
        while self._bytes > self._bytes_max:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= len(dropped.body) + OVERHEAD_BYTES
        return response
