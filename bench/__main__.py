"""`make bench`: prints the tables of docs/performance.md."""

from __future__ import annotations

import asyncio

from bench.sync import sync_table


def main() -> None:
    """Run every benchmark and print its table."""
    print(asyncio.run(sync_table()))


main()
