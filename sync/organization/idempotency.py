"""Idempotent requests: a request repeated with the same key and input gets the first result and has no effect."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Select, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.errors import BadInput, Conflict
from sync.store.tables import idempotency_keys

IDEMPOTENCY_KEY_CHARS_MAX = 200
# Noun of the stored result → mutations; deleteTask has no result.
_OPERATIONS = {
    "Task": ("createTask", "updateTask", "pauseTask", "resumeTask", "hideTask"),
    "TaskRun": ("triggerTask", "retryRun", "stopRun"),
}


class Idempotent:
    """One request: call `result`; if it returns None, perform the request and call `remember`.

    Args:
        operation: the mutation's name; a key belongs to one input of it.
        key: the caller's idempotency key; None if it sent none.
        payload: the input: JSON values or dataclasses.

    Raises:
        BadInput: the key is malformed.
    """

    def __init__(self, organization_id: int, operation: str, key: str | None, payload: object) -> None:
        if key is not None and not (0 < len(key) <= IDEMPOTENCY_KEY_CHARS_MAX and key.isprintable()):
            raise BadInput(
                f"An idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable characters.", path="idempotencyKey"
            )
        self._place = {"organization_id": organization_id, "operation": operation, "key": key}
        self._hash = hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).digest()

    async def result(self, tx: AsyncConnection) -> int | None:
        """Return the key of the row that the first such request made or changed; None if this is the first.

        Raises:
            Conflict: the key was used with another input.
        """
        table = idempotency_keys
        if self._place["key"] is None:
            return None
        mine = (table.c[name] == value for name, value in self._place.items())
        row = (await tx.execute(select(table.c.input_hash, table.c.result_id).where(*mine))).first()
        if row is None:
            return None
        if row.input_hash != self._hash:
            raise Conflict("This idempotency key was used with another input.", path="idempotencyKey")
        return int(row.result_id)

    async def remember(self, tx: AsyncConnection, clock: Clock, result_id: int) -> None:
        """Store the result, in the transaction that made it."""
        if self._place["key"] is not None:
            values = {**self._place, "input_hash": self._hash, "result_id": result_id}
            await tx.execute(insert(idempotency_keys).values(**values, created_at=timestamp(clock.now())))


def forget(tx: Connection, organization_id: int, noun: str, keys: Select[Any] | Sequence[int]) -> None:
    """Delete the stored results that refer to tasks or runs about to be deleted."""
    table = idempotency_keys.c
    mine = table.organization_id == organization_id, table.operation.in_(_OPERATIONS[noun])
    tx.execute(delete(idempotency_keys).where(*mine, table.result_id.in_(keys)))
