"""Completion of a search box at each key stroke: through HTTP, one connection, every text anew."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.growth import request_of
from bench.inventory import Size, build
from bench.load import load
from bench.query import free_port, served

SECONDS = 2.0
COMPLETE = """
query($text: String!) {
  completeSearch(inventory: ASSETS, text: $text) { start end isComplete items { text label kind count } }
}
"""
# Keywords, a beginning, values that an index counts, a part, names by their beginning, a sample, related rows.
TEXTS = ("", "la", "os:", "os:win", "latest_name:host-00", "mac:00", "owner:a", "owner.dep")
HEADER = "| text | p50 ms | p99 ms |\n|---|---|---|"


async def completion_table(size: Size) -> str:
    """Measure each text on an inventory of a size; answers are not kept."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        bearer, port = f"Bearer {await build(data_dir, size)}", free_port()
        async with served(data_dir, port, RESPONSE_CACHE_MIB="0"):
            return "\n".join((HEADER, *[await _row(port, bearer, text) for text in TEXTS]))


async def _row(port: int, bearer: str, text: str) -> str:
    request = request_of(bearer, COMPLETE, text=text)
    # The first times compile statements and read pages of the file.
    await load(port, request, 0.3, connections=1)
    measured = await load(port, request, SECONDS, connections=1)
    shown = f"`{text}`" if text else "nothing"
    return f"| {shown} | {measured.quantile_ms(0.5):.2f} | {measured.quantile_ms(0.99):.2f} |"
