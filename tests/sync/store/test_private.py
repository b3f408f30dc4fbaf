"""The data folder is its owner's alone: what others could change is refused, what they could read is closed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import pytest

from server.operator.socket import SOCKET_NAME, ControlSocket
from sync.errors import StoreExposed
from sync.runtime import DATABASE_FILE, KEY_FILE, LOCK_FILE, Config, Runtime
from sync.store.private import exposures, make_private

BESIDE = ("-wal", "-shm", "-journal", ".replaced-20260101T000000Z")
NAMES = [".", DATABASE_FILE, KEY_FILE, LOCK_FILE, SOCKET_NAME, *(DATABASE_FILE + end for end in BESIDE)]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Set what is taken from the modes of new files."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


async def start(data_dir: Path) -> None:
    """Start and stop, as a server does."""
    runtime = await Runtime.open(Config(data_dir), run_tasks=False)
    await runtime.close()


@pytest.fixture(scope="module")
async def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of an installation that has every kind of file; copied by each test."""
    data_dir = tmp_path_factory.mktemp("private") / "data"
    await start(data_dir)
    for name in NAMES[1:]:
        (data_dir / name).touch(0o600)
    return data_dir


@pytest.fixture
def installed(started: Path, tmp_path: Path) -> Path:
    """Return a data folder of this test's own, with every kind of file."""
    return Path(copytree(started, tmp_path / "data"))


def modes(data_dir: Path) -> dict[str, int]:
    """Return the mode of the folder and of each file in it."""
    return {name: stat.S_IMODE((data_dir / name).stat().st_mode) for name in (".", *os.listdir(data_dir))}


@pytest.mark.parametrize("mode", [0o666, 0o620])
@pytest.mark.parametrize("name", NAMES)
async def test_start_is_refused_when_others_can_change_a_file(installed: Path, name: str, mode: int) -> None:
    """It may hold anything by now; the error names the file and the command, and nothing is changed."""
    data_dir = installed
    (data_dir / name).chmod(mode | stat.S_IXUSR)
    before = modes(data_dir)
    with pytest.raises(StoreExposed) as caught:
        await start(data_dir)
    wanted = f"chmod {0o700 if name == '.' else 0o600:o} {data_dir / name}"
    assert str(data_dir / name) in caught.value.message and wanted in str(caught.value.hint)
    assert modes(data_dir) == before


@pytest.mark.parametrize("name", [name for name in NAMES if name != KEY_FILE])
async def test_start_closes_what_others_can_read(installed: Path, name: str) -> None:
    """Earlier versions and copies left files like this; the owner's own are closed again, and it is logged."""
    data_dir = installed
    (data_dir / name).chmod(0o755 if name == "." else 0o644)
    await start(data_dir)
    assert all(mode & 0o077 == 0 for mode in modes(data_dir).values())


async def test_start_is_refused_when_others_can_read_the_key(installed: Path) -> None:
    """Who has read it can open every backup; closing it silently would hide that."""
    data_dir = installed
    (data_dir / KEY_FILE).chmod(0o640)
    with pytest.raises(StoreExposed) as caught:
        await start(data_dir)
    assert f"chmod 600 {data_dir / KEY_FILE}" in str(caught.value.hint)


async def test_folder_is_refused_when_another_user_owns_it_or_a_file_in_it(installed: Path) -> None:
    """Each is named with its owner, and root is no exception: its files would lock the owner's server out."""
    data_dir, user = installed, os.geteuid() + 1
    found = {one.path.name: one for one in exposures(data_dir, user)}
    assert {path for path in found if path != "data"} == set(NAMES[1:])
    assert all(f"chown -h {user} " in one.command and not one.can_close for one in found.values())
    with pytest.raises(StoreExposed) as caught:
        make_private(data_dir, user)
    assert f"belongs to user {os.geteuid()}, not to user {user}" in caught.value.message


async def test_link_of_another_user_is_refused_whatever_it_leads_to(installed: Path, tmp_path: Path) -> None:
    """A link counts twice: itself, and the file behind it."""
    data_dir = installed
    elsewhere = tmp_path / "elsewhere.db"
    (data_dir / DATABASE_FILE).rename(elsewhere)
    (data_dir / DATABASE_FILE).symlink_to(elsewhere)
    elsewhere.chmod(0o666)
    with pytest.raises(StoreExposed, match="can change"):
        await start(data_dir)
    elsewhere.chmod(0o600)
    await start(data_dir)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o177])
async def test_new_files_are_the_owners_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    """Folders above that are missing, the database with its log, the key, the lock and the socket."""
    data_dir = tmp_path / "above" / "data"
    with umask(mask):
        runtime = await Runtime.open(Config(data_dir), run_tasks=False)
        try:
            async with ControlSocket(runtime, data_dir):
                found = modes(data_dir)
        finally:
            await runtime.close()
    assert {DATABASE_FILE, DATABASE_FILE + "-wal", DATABASE_FILE + "-shm", KEY_FILE, LOCK_FILE} < set(found)
    assert found.pop(".") == stat.S_IMODE((tmp_path / "above").stat().st_mode) == 0o700
    assert set(found.values()) == {0o600}
