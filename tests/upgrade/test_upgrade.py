"""A database that the first version made is brought to this one: its tables, its answers, its secrets and its syncs."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import event, select

from sync.runtime import DATABASE_FILE, KEY_FILE
from sync.secret.credentials import CredentialKind
from sync.secret.sealed import survey
from sync.store import Store
from sync.store.migrate import head, migrate
from sync.store.shape import raw_shape
from sync.store.snapshot import reading
from sync.store.tables import credentials, metadata
from tests.end_to_end.graphql import differences_told
from tests.upgrade.make import ANSWERS, DATABASE, KEY, Answers, Upgraded, ask_all
from tests.upgrade.tenant import change

# Document (its beginning) → why it is answered in another way than by the first version, and how.
CHANGED: dict[str, str] = {}


@pytest.fixture
def first(data_dir: Path) -> Path:
    """Return the data directory that the first version left behind."""
    (data_dir / DATABASE_FILE).write_bytes(gzip.decompress(DATABASE.read_bytes()))
    shutil.copy(KEY, data_dir / KEY_FILE)
    for file in data_dir.iterdir():
        file.chmod(0o600)
    return data_dir


@pytest.fixture
async def upgraded(first: Path) -> AsyncIterator[Upgraded]:
    """Return an installation on that database, opened by this version."""
    installation = Upgraded(first)
    installation.organization_id = installation.site_id = installation.task_id = 1
    change(installation.simulator)
    installation.clock.moved_s = 7_200
    # Without schedules and alerts: their waiting would move the clock past every deadline.
    await installation.open(run_tasks=False)
    yield installation
    await installation.close()


def told() -> Answers:
    """Return what the first version answered."""
    answers: Answers = orjson.loads(gzip.decompress(ANSWERS.read_bytes()))
    return answers


async def test_tables_are_a_fresh_databases_when_an_old_one_was_upgraded(first: Path, tmp_path: Path) -> None:
    """Names, columns, types, defaults, indexes and constraints are the same, whichever way they came about."""
    shapes = []
    for path in (first / DATABASE_FILE, tmp_path / "fresh.db"):
        store = Store.at(path)
        await migrate(store)
        async with store.read() as tx:
            shapes.append(await tx.run_sync(raw_shape))
        await store.close()
    assert shapes[0] == shapes[1]
    assert {fact[0] for fact in shapes[0]} > metadata.tables.keys()


async def test_planner_has_counted_every_index_when_a_database_was_upgraded(first: Path) -> None:
    """A new index without counts beside an old one with counts is taken for the better one, and is not."""
    store = Store.at(first / DATABASE_FILE)
    await migrate(store)
    await store.close()
    with closing(sqlite3.connect(first / DATABASE_FILE)) as database:
        counted = {name for (name,) in database.execute("SELECT idx FROM sqlite_stat1")}
    assert {
        str(index.name) for name in ("assets", "users", "groups") for index in metadata.tables[name].indexes
    } <= counted


async def test_every_answer_is_as_it_was_when_a_database_was_upgraded(upgraded: Upgraded) -> None:
    """Every field of every noun, in both organizations, and some filters, orders and searches."""
    old = told()
    new = await ask_all(upgraded, [answer["query"] for answer in old if answer["organization"] == 1])
    assert len(old) == len(new) > 30
    for before, after in zip(old, new, strict=True):
        if not before["query"].startswith(tuple(CHANGED)):
            assert after == before


async def test_secrets_open_when_a_database_was_upgraded(upgraded: Upgraded) -> None:
    """Those of credentials, of webhooks, and the root of derived keys."""
    with reading(upgraded.database) as connection:
        found = survey(connection, upgraded.runtime.vault)
        kinds = set(connection.scalars(select(credentials.c.kind).where(credentials.c.organization_id == 1)))
    # Those of the organization Beta were written by hand: nobody has sealed them.
    opened = [one.noun for one in found if not one.problem]
    assert sorted(opened) == ["credential", "credential", "proof", "webhook"]
    assert kinds == {CredentialKind.AZURE_CLIENT_SECRET, CredentialKind.AZURE_USERNAME_PASSWORD}


async def test_assets_are_told_what_they_are_when_a_database_was_upgraded(upgraded: Upgraded) -> None:
    """From what their records hold: the synced ones, which come first, the rows written by hand are no machines."""
    before = await systems(upgraded)
    assert {one["osVendor"] for one in before} == {None}
    assert await upgraded.runtime.renewal.step(len(before))
    found = await systems(upgraded)
    assert {(one["osVendor"], one["osProduct"]) for one in found} >= {("Microsoft", "Windows 11"), ("Apple", "macOS")}
    assert all(one["os"].startswith(one["osVendor"]) for one in found if one["osVendor"])


async def systems(installation: Upgraded) -> list[dict[str, Any]]:
    """Return what the synced assets say of their systems."""
    answers = await ask_all(installation, ["{ assets(first: 1000) { nodes { os osVendor osProduct osReason } } }"])
    nodes: list[dict[str, Any]] = answers[0]["data"]["assets"]["nodes"]
    return nodes


async def test_sync_goes_on_when_a_database_was_upgraded(upgraded: Upgraded) -> None:
    """The next run reads everything once in the new form, and calls none of that a repair; the one after, changes."""
    directory = upgraded.simulator.directory
    some = list(directory.ids("users"))[30]
    directory.update("users", some, displayName="Renamed")
    run = await upgraded.run()
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert sum(numbers.get("repaired", 0) for numbers in run.counts.values()) == 0
    assert await differences_told(upgraded) == []
    directory.update("users", some, displayName="Renamed again")
    run = await upgraded.run()
    assert (run.status, run.counts["users"]) == ("SUCCEEDED", {"updated": 1})
    assert await differences_told(upgraded) == []


@pytest.mark.slow(cases=0)
async def test_database_is_as_it_was_when_any_statement_of_an_upgrade_fails(first: Path) -> None:
    """Whichever statement fails, the old version can still use the file, and the next try succeeds."""

    def dump() -> list[Any]:
        with closing(sqlite3.connect(first / DATABASE_FILE)) as connection:
            made = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            names = [name for name, sql in made if sql and sql.startswith("CREATE TABLE") and "grams" not in name]
            return [made, *(connection.execute(f"SELECT * FROM {name}").fetchall() for name in names)]  # noqa: S608

    async def upgrade_until(fail_at: int) -> int:
        store, seen = Store.at(first / DATABASE_FILE), 0

        def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            nonlocal seen
            seen += not statement.lstrip().startswith(("SELECT", "PRAGMA", "BEGIN"))
            if seen == fail_at:
                raise InterruptedError

        event.listen(store._writer.sync_engine, "before_cursor_execute", note)
        try:
            await migrate(store)
        finally:
            await store.close()
        return seen

    before, fail_at = dump(), 0
    with pytest.raises(InterruptedError):
        while True:
            fail_at += 1
            await upgrade_until(fail_at)
    while True:
        assert dump() == before
        fail_at += 1
        try:
            await upgrade_until(fail_at)
        except InterruptedError:
            continue
        break
    with reading(first / DATABASE_FILE) as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == head()
