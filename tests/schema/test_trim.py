"""What is kept by the thousand takes the memory of its text, not of the buffer that it was written into."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from server.graphql.execution import variables_text
from sync.inventory.directory.item import json_text

NUMBER = 100
# Of each bytes object, of its place in the list, and of the item that it was written from.
AROUND_BYTES = 200


@pytest.mark.parametrize("write", [json_text, variables_text])
@pytest.mark.parametrize("chars", [10, 1_000, 30_000])
def test_text_that_is_kept_holds_no_room_it_does_not_need(write: Callable[[Any], bytes], chars: int) -> None:
    """An item's text waits for its transaction, variables are part of the keys of what is kept."""
    items = [{"id": number, "displayName": "x" * chars} for number in range(NUMBER)]
    tracemalloc.start()
    try:
        kept = [write(item) for item in items]
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes <= sum(map(len, kept)) + NUMBER * AROUND_BYTES
