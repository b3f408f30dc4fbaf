"""Opening and closing: what a first start makes, and every reason not to start, each without touching the data."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from sync.errors import KeyUnusable, RollcallError, StoreLocked, StoreUnreadable
from sync.runtime import DATABASE_FILE, DEFAULT_ORGANIZATION, DEFAULT_SITE, KEY_FILE, Config, Runtime
from sync.secret.vault import new_key
from sync.store.tables import organizations, sites


async def start(config: Config) -> bool:
    """Open and close; returns whether it was the first start."""
    runtime = await Runtime.open(config)
    await runtime.close()
    return runtime.first_start


async def test_first_start_makes_directory_key_and_one_organization(tmp_path: Path) -> None:
    """A new data directory belongs to its owner only; the second start adds nothing."""
    config = Config(tmp_path / "new" / "data")
    assert [await start(config), await start(config)] == [True, False]
    assert config.data_dir.stat().st_mode & 0o777 == 0o700
    assert (config.data_dir / KEY_FILE).stat().st_mode & 0o777 == 0o600
    runtime = await Runtime.open(config)
    async with runtime.store.read() as tx:
        assert list(await tx.scalars(select(organizations.c.name))) == [DEFAULT_ORGANIZATION]
        assert list(await tx.scalars(select(sites.c.name))) == [DEFAULT_SITE]
    await runtime.close()


@pytest.mark.slow(cases=2)
@pytest.mark.parametrize("problem", ["missing", "another", "malformed", "another in settings"])
async def test_start_is_refused_untouched_when_the_key_is_wrong(data_dir: Path, problem: str) -> None:
    """Without the right key nothing starts: one typed error with advice, and the database stays as it was."""
    await start(Config(data_dir))
    key, database = data_dir / KEY_FILE, data_dir / DATABASE_FILE
    given, before = key.read_text(), database.read_bytes()
    keys = None
    if problem == "missing":
        key.unlink()
    elif problem == "another in settings":
        keys = new_key()
    else:
        key.write_text({"another": new_key(), "malformed": given[:20]}[problem])
    with pytest.raises(KeyUnusable) as caught:
        await start(Config(data_dir, keys=keys))
    assert caught.value.hint
    assert given.strip() not in f"{caught.value!r}{caught.value.hint}"
    assert database.read_bytes() == before
    assert key.exists() == (problem != "missing")


async def test_start_is_refused_while_another_runs(data_dir: Path) -> None:
    """The second opening of a data directory is refused; after the first closes, it succeeds."""
    runtime = await Runtime.open(Config(data_dir))
    with pytest.raises(StoreLocked):
        await start(Config(data_dir))
    await runtime.close()
    assert await start(Config(data_dir)) is False


async def test_lock_is_given_back_when_the_start_fails(data_dir: Path) -> None:
    """A failed start holds nothing: once the reason is gone, the same process can start."""
    await start(Config(data_dir))
    given = (data_dir / KEY_FILE).read_text().strip()
    (data_dir / KEY_FILE).unlink()
    with pytest.raises(KeyUnusable):
        await start(Config(data_dir))
    assert await start(Config(data_dir, keys=given)) is False


@pytest.mark.parametrize("place", ["file", "file/below"])
async def test_start_is_refused_when_the_directory_cannot_be_made(tmp_path: Path, place: str) -> None:
    """A file in the way is the operator's mistake: typed, with the setting to check."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnreadable) as caught:
        await start(Config(tmp_path / place))
    assert isinstance(caught.value, RollcallError)
    assert "ROLLCALL_DATA_DIR" in (caught.value.hint or "")
