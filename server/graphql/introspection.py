"""Caches answers about the schema: it never changes while the server runs, and describing it is slow."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from graphql import FieldNode, OperationDefinitionNode

from server.graphql.operation import Prepared
from sync.trim import trimmed

ANSWERS_MAX = 32
ANSWERS_BYTES_MAX = 16 * 1024 * 1024
ABOUT_SCHEMA = ("__schema", "__type", "__typename")


class IntrospectionCache:
    """Answers of operations that select only the schema; drops the least recently used first."""

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def answer(self, prepared: Prepared) -> bytes | None:
        """Return the cached answer to an equal operation, or None."""
        if not _is_about_schema(prepared.operation):
            return None
        key = _key(prepared)
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
        return found

    def keep(self, prepared: Prepared, body: bytes) -> None:
        """Cache an answer without errors, if its operation selects only the schema."""
        if not _is_about_schema(prepared.operation) or len(body) > ANSWERS_BYTES_MAX:
            return
        key = _key(prepared)
        self._bytes += len(body) - len(self._answers.pop(key, b""))
        self._answers[key] = trimmed(body)
        while len(self._answers) > ANSWERS_MAX or self._bytes > ANSWERS_BYTES_MAX:
            self._bytes -= len(self._answers.popitem(last=False)[1])


def _is_about_schema(operation: OperationDefinitionNode) -> bool:
    return all(
        isinstance(selection, FieldNode) and selection.name.value in ABOUT_SCHEMA
        for selection in operation.selection_set.selections
    )


def _key(prepared: Prepared) -> bytes:
    name = prepared.operation.name
    asked = (name.value if name else "").encode() + b"\n" + prepared.asked.given
    return prepared.document.digest + hashlib.sha256(asked).digest()
