"""A data folder as the first start leaves it, made once a process: copying it is faster than making the tables."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sync.runtime import DATABASE_FILE, KEY_FILE, Config, Runtime
from tests.sync.entra.clock import FakeClock

_files: dict[str, bytes] = {}


async def start_first(data_dir: Path) -> None:
    """Write the database and the key of a first start into a folder; one that holds a database is left alone."""
    if (data_dir / DATABASE_FILE).exists():
        return
    if not _files:
        await _make()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in _files.items():
        path = data_dir / name
        path.touch(0o600)
        path.write_bytes(content)


async def _make() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        await (await Runtime.open(Config(data_dir), clock=FakeClock(), run_tasks=False)).close()
        _files.update({name: (data_dir / name).read_bytes() for name in (DATABASE_FILE, KEY_FILE)})
