"""Promise D3: two hundred damaged databases: each opens as it was, or is refused in one sentence and left as it is.

SQLite keeps no checksums of pages: a value that was changed inside a page that is otherwise whole is not noticed at a
start (docs/operations.md says so). Such files may differ here, and only where the check of each start finds nothing.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from sync.errors import RollcallError, StoreError
from tests.end_to_end.installation import Dump, Installation
from tests.end_to_end.killer import tenant
from tests.share import share

VARIANTS = share(5, 25)
PAGE_BYTES, SECTOR_BYTES = 8_192, 512


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, Dump]]:
    """Return a data directory that a sync has filled, closed, and what is in it."""
    installation = Installation(tenant(0), tmp_path_factory.mktemp("whole") / "data")
    await installation.open()
    await installation.furnish()
    assert (await installation.run()).status == "SUCCEEDED"
    held = await installation.dump()
    await installation.close()
    yield installation.data_dir, held


def _flip_bit(content: bytearray, random: Random) -> None:
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _flip_head(content: bytearray, random: Random) -> None:
    content[random.randrange(100)] ^= 1 << random.randrange(8)


def _flip_many(content: bytearray, random: Random) -> None:
    for _ in range(200):
        _flip_bit(content, random)


def _truncate(content: bytearray, random: Random) -> None:
    del content[random.randrange(len(content)) :]


def _zero_page(content: bytearray, random: Random) -> None:
    start = random.randrange(len(content) // PAGE_BYTES) * PAGE_BYTES
    content[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)


def _garbage_sector(content: bytearray, random: Random) -> None:
    start = random.randrange(len(content) // SECTOR_BYTES) * SECTOR_BYTES
    content[start : start + SECTOR_BYTES] = random.randbytes(SECTOR_BYTES)


def _swap_pages(content: bytearray, random: Random) -> None:
    one, other = (place * PAGE_BYTES for place in random.sample(range(len(content) // PAGE_BYTES), 2))
    kept = content[one : one + PAGE_BYTES]
    content[one : one + PAGE_BYTES] = content[other : other + PAGE_BYTES]
    content[other : other + PAGE_BYTES] = kept


def _page_head(content: bytearray, random: Random) -> None:
    # Type, cell count and cell pointers: what holds a page together.
    start = random.randrange(1, len(content) // PAGE_BYTES) * PAGE_BYTES
    content[start + random.randrange(64)] ^= 0xFF


DAMAGES: list[Callable[[bytearray, Random], None]] = [
    _flip_bit,
    _flip_head,
    _flip_many,
    _truncate,
    _zero_page,
    _garbage_sector,
    _swap_pages,
    _page_head,
]


async def outcome(data_dir: Path, held: Dump) -> str:
    """Open a damaged installation, read everything, and name what came of it."""
    installation = Installation(tenant(0), data_dir)
    before = installation.database.read_bytes()
    try:
        await installation.open(run_tasks=False)
    except RollcallError as error:
        assert error.message and error.hint
        assert installation.database.read_bytes() == before
        return "refused at the start"
    try:
        return "as it was" if await installation.dump() == held else "other values"
    except StoreError:
        return "refused when read"
    except ValueError:
        # A value that is no time or no JSON any more: answered as INTERNAL, never with something else.
        return "other values"
    finally:
        await installation.close()


def is_whole_to_sqlite(database: Path) -> bool:
    """Tell whether SQLite's quick check, that of a start, finds nothing wrong; what indexes tell is the doctor's."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    except (sqlite3.Error, UnicodeDecodeError):
        return False


@pytest.mark.slow(cases=3)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
async def test_damaged_database_is_as_it_was_or_refused(
    whole: tuple[Path, Dump], tmp_path: Path, damage: Callable[[bytearray, Random], None]
) -> None:
    """Many files each of eight kinds of damage: never a traceback, never half of what was there."""
    given, held = whole
    seen: Counter[str] = Counter()
    for number in range(VARIANTS):
        mine = tmp_path / str(number)
        shutil.copytree(given, mine)
        content = bytearray((mine / "rollcall.db").read_bytes())
        damage(content, Random(number))  # noqa: S311 - repeatable test data, not a secret
        (mine / "rollcall.db").write_bytes(content)
        noticed = not is_whole_to_sqlite(mine / "rollcall.db")
        came = await outcome(mine, held)
        seen[came] += 1
        assert came != "other values" or not noticed, f"variant {number}"
        shutil.rmtree(mine)
    assert sum(seen.values()) == VARIANTS
