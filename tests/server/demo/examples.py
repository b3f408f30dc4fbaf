"""Examples of keywords, taken from the demo by completion, with the numbers of rows that they find there.

`python -m tests.server.demo.examples > schema/search/vocabulary/examples.tsv` writes them anew; then
`rollcall keywords > docs/keywords.md` writes the reference.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from schema import build_schema
from schema.field.registry import FieldKind
from schema.search.vocabulary.document import INVENTORIES
from schema.search.vocabulary.example import WITHOUT, Example, write_examples
from schema.search.vocabulary.keyword import Keyword
from schema.search.vocabulary.table import listed
from server.demo.client import Client
from server.demo.demo import Options, scan, stage, sync
from server.settings import outer_environment
from sync.clock import SystemClock

SHORT = 40
_ENUM = {noun: "".join(f"_{c}" if c.isupper() else c for c in noun)[1:].upper() + "S" for noun in INVENTORIES}
_COMPLETE = """query($inventory: Inventory!, $text: String!) {
  completeSearch(inventory: $inventory, text: $text, first: 30) { items { text kind } }
}"""
# What holds on any day; the first that finds rows is taken.
_SURE = {
    FieldKind.TIME: (">0", "0"),
    FieldKind.BOOL: ("true", "false"),
    FieldKind.INT: (">1", ">0", "0"),
}
# What another demo makes anew.
_BY_CHANCE = {"prefix": "rc", "request_id": "%"}


@asynccontextmanager
async def demo_client(data_dir: Path) -> AsyncIterator[Client]:
    """Make what `rollcall demo` makes, with its default sizes, on the clock of the machine."""
    options, console = Options(2_000, 1_500, 200, 1, 0, data_dir), Console(quiet=True)
    async with stage(options, outer_environment(), console) as place:
        await sync(place, SystemClock(), console)
        await scan(place, options.seed, SystemClock(), console)
        yield place.client


def list_of(noun: str) -> str:
    """Return the root list of an inventory."""
    return f"{noun[0].lower()}{noun[1:]}s"


async def count_rows(client: Client, noun: str, search: str) -> int:
    """Count the rows that a search finds."""
    name = list_of(noun)
    data = await client.ask(f"query($text: String) {{ {name}(search: $text) {{ totalCount }} }}", text=search)
    return int(data[name]["totalCount"])


async def example_of(client: Client, noun: str, keyword: Keyword) -> Example | None:
    """Find a search for a keyword that finds rows, if any does."""
    for value in await _values(client, noun, keyword):
        search = f"{keyword.name}:{value}"
        if rows := await count_rows(client, noun, search):
            return Example(noun, keyword.name, search, rows)
    return None


async def _values(client: Client, noun: str, keyword: Keyword) -> Sequence[str]:
    if keyword.kind in _SURE:
        return _SURE[keyword.kind]
    if keyword.name in _BY_CHANCE:
        return [_BY_CHANCE[keyword.name]]
    if keyword.kind is FieldKind.ID:
        return await _ids(client, noun, keyword)
    data = await client.ask(_COMPLETE, inventory=_ENUM[noun], text=f"{keyword.name}:")
    offered = [item["text"] for item in data["completeSearch"]["items"] if item["kind"] == "VALUE"]
    return sorted(offered, key=lambda text: not (text.isascii() and len(text) <= SHORT))


async def _ids(client: Client, noun: str, keyword: Keyword) -> Sequence[str]:
    """Take the ids of the first rows that a keyword of ids can mean: of the noun's own, or of what it names.

    Of users and groups, those of the directory: another demo may read them in another order.
    """
    named = {"id": noun, "parent_id": "Task"}.get(keyword.name) or keyword.name.removesuffix("_id").title()
    root, name = list_of(named), "externalId" if keyword.name in ("user_id", "group_id") else "id"
    data = await client.ask(f"{{ {root}(first: 200) {{ nodes {{ {name} }} }} }}")
    return [node[name] for node in data[root]["nodes"]]


async def measure(client: Client) -> AsyncIterator[Example]:
    """Find an example for every keyword that has one."""
    for noun in INVENTORIES:
        for keyword in listed(noun):
            if not keyword.uncollected and (noun, keyword.name) not in WITHOUT:
                if example := await example_of(client, noun, keyword):
                    yield example


async def _main() -> None:
    build_schema()
    with TemporaryDirectory() as folder:
        async with demo_client(Path(folder)) as client:
            sys.stdout.write(write_examples([example async for example in measure(client)]))


if __name__ == "__main__":
    asyncio.run(_main())
