"""`make bench`: prints the tables of docs/performance.md; `--full` takes growth and sync to a million."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from bench.attack import attack_table
from bench.completion import completion_table
from bench.engine import engine_line
from bench.growth import growth_table
from bench.inventory import Size
from bench.query import query_table
from bench.search import search_table
from bench.sync import sync_table


async def tables(*, full: bool) -> None:
    """Run every benchmark and print its table."""
    print(await query_table(Size()), end="\n\n")
    print(await growth_table((10_000, 100_000, 1_000_000) if full else (10_000, 100_000)), end="\n\n")
    print(await attack_table(1_000_000 if full else 100_000), end="\n\n")
    print(await sync_table(full=full), end="\n\n")
    print(search_table(), end="\n\n")
    print(await completion_table(Size()), end="\n\n")
    print(await engine_line())


def main() -> None:
    """Run on the loop that servers use, so that the client is quick."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(tables(full="--full" in sys.argv))


main()
