"""Completion of search texts as an editor uses it: ask at the cursor, put an item in the place of the range."""

from __future__ import annotations

from typing import Any

from tests.api.caller import Caller

COMPLETE = """query($inventory: Inventory!, $text: String!, $cursor: Int, $first: Int!) {
  completeSearch(inventory: $inventory, text: $text, cursor: $cursor, first: $first) {
    start end isComplete items { text label detail kind count valueKind target groupBy }
  }
}"""


async def complete(
    caller: Caller, inventory: str, text: str, cursor: int | None = None, first: int = 100
) -> dict[str, Any]:
    """Ask for the completions at a place."""
    asked = {"inventory": inventory, "text": text, "cursor": cursor, "first": first}
    found: dict[str, Any] = (await caller.data(COMPLETE, **asked))["completeSearch"]
    return found


def accept(text: str, completion: dict[str, Any], item: dict[str, str]) -> str:
    """Put an item where an editor would."""
    raw, put = text.encode("utf-16-le"), item["text"].encode("utf-16-le")
    return bytes(raw[: 2 * completion["start"]] + put + raw[2 * completion["end"] :]).decode("utf-16-le")
