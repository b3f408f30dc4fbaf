"""What the upgrade makes of stored texts and ids: their keys, their order, and one object of two spellings."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, select, text, update

from sync.runtime import DATABASE_FILE
from sync.store import Store
from sync.store.facts import TEXT_FORM, read_fact, write_fact
from sync.store.migrate import configuration, migrate
from sync.store.statement.function import TEXT_FORM as FORM
from sync.store.statement.function import version_key
from sync.store.tables import metadata, users
from sync.store.tables.column import keyed_names
from tests.api.text import order
from tests.upgrade.test_upgrade import first as first


def wrong_keys(connection: Connection) -> list[tuple[str, object, object]]:
    """List the texts whose stored key is not what they are sorted by."""
    found = []
    for table in metadata.sorted_tables:
        for key, name in keyed_names(table).items():
            for written, made in connection.execute(select(table.c[name], table.c[key])):
                make = version_key if "version" in name else order
                if made != (None if written is None else make(written)):
                    found.append((f"{table.name}.{key}", written, made))
    return found


async def test_every_key_is_made_when_an_old_database_is_upgraded(first: Path) -> None:
    """Live rows and tombstones, ASCII or not, and no key for no text; the form is noted."""
    store = Store.at(first / DATABASE_FILE)
    await migrate(store)
    async with store.read() as tx:
        assert await tx.run_sync(wrong_keys) == []
        assert await tx.run_sync(read_fact, TEXT_FORM) == FORM
        accented = await tx.scalar(select(users.c.display_name_key).where(users.c.display_name_key.like("dvorak 3%")))
    await store.close()
    assert accented


@pytest.mark.parametrize("is_noted", [True, False])
async def test_keys_are_made_anew_when_they_are_of_another_form(first: Path, is_noted: bool) -> None:
    """A Python that knows other letters makes other keys: a start looks at the noted form, not at every row."""
    store = Store.at(first / DATABASE_FILE)
    await migrate(store)
    async with store.write() as tx:
        await tx.execute(update(users).values(display_name_key="other"))
        await tx.run_sync(write_fact, TEXT_FORM, FORM if is_noted else "0/1.0")
    await migrate(store)
    async with store.read() as tx:
        assert bool(await tx.run_sync(wrong_keys)) is is_noted
    await store.close()


async def test_ids_in_capitals_become_the_same_object_when_an_old_database_is_upgraded(tmp_path: Path) -> None:
    """An id that was stored in capitals is found again; of two spellings the edges become the one's."""
    path = tmp_path / "old.db"
    store = Store.at(path)
    async with store.write() as tx:
        await tx.run_sync(lambda connection: command.upgrade(configuration(connection), "0002"))
        for statement in (
            "INSERT INTO organizations (id, name, created_at, updated_at) VALUES (1, 'o', '', '')",
            "INSERT INTO sites (id, organization_id, name, created_at, updated_at) VALUES (1, 1, 's', '', '')",
            "INSERT INTO directories (id, organization_id, site_id, source, cloud, tenant_id, created_at, updated_at)"
            " VALUES (1, 1, 1, 'azuread', 'GLOBAL', 't', '', '')",
            "INSERT INTO objects (id, directory_id, external_id, generation)"
            " VALUES (1, 1, 'ab-1', 1), (2, 1, 'AB-1', 0), (3, 1, 'CD-1', 1), (4, 1, 'Ef-1', 0), (5, 1, 'eF-1', 0)",
            "INSERT INTO edges (kind, from_id, to_id, generation) VALUES (1, 3, 1, 1), (1, 3, 2, 0), (1, 3, 4, 0),"
            " (1, 3, 5, 0), (5, 2, 3, 0)",
        ):
            await tx.execute(text(statement))
    await migrate(store)
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        ids = dict(connection.execute("SELECT id, external_id FROM objects"))
        edges = set(connection.execute("SELECT kind, from_id, to_id FROM edges"))
    assert (ids[1], ids[3]) == ("ab-1", "cd-1")
    assert "ef-1" in (ids[4], ids[5])
    one = 4 if ids[4] == "ef-1" else 5
    assert edges == {(1, 3, 1), (1, 3, one), (5, 1, 3)}
