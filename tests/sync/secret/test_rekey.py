"""Promise K4: keys change while everything goes on; broken off anywhere, nothing is lost and the rest is done later."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, update

from sync.alert.webhook import AlertEvent, NewWebhook, create_webhook
from sync.entra.cloud import Cloud
from sync.errors import Conflict, KeyUnusable
from sync.organization.organizations import default_organization
from sync.runtime import KEY_FILE, Config, Runtime
from sync.secret.credentials import CredentialKind, NewCredential, create_credential, open_sign_in
from sync.secret.rotation import go_on_without, rotate
from sync.secret.sealed import KINDS, SealedValue, sealed_columns, survey
from sync.secret.vault import new_key, split_keys
from sync.store.tables import credentials
from tests.canary import canary_secret

GUID = "11111111-2222-3333-4444-555555555555"
CREDENTIALS = 6
ORIGIN = "https://alerts.example"
SEALED = CREDENTIALS + 2  # a webhook and the proof


async def opened(data_dir: Path, keys: str | None = None) -> Runtime:
    """Open an installation without its engine."""
    return await Runtime.open(Config(data_dir, keys=keys, alert_origins=(ORIGIN,)), run_tasks=False)


async def add_credential(runtime: Runtime, number: int) -> int:
    """Create a credential, of either kind in turn."""
    kind = tuple(CredentialKind)[number % 2]
    new = NewCredential(
        name=f"Contoso {number}",
        kind=kind,
        cloud=Cloud.GLOBAL,
        client_id=GUID,
        tenant_id=GUID,
        secret=canary_secret(f"rekey-{number}"),
        username="sync@contoso.example" if kind is CredentialKind.AZURE_USERNAME_PASSWORD else None,
    )
    async with runtime.store.write() as tx:
        mine = await default_organization(tx)
        return await create_credential(
            tx, runtime.clock, runtime.vault, None, organization_id=mine, new=new, created_by="test"
        )


async def furnish(data_dir: Path) -> None:
    """Make an installation that holds secrets of every kind."""
    runtime = await opened(data_dir)
    for number in range(CREDENTIALS):
        await add_credential(runtime, number)
    async with runtime.store.write() as tx:
        new = NewWebhook("Alerts", f"{ORIGIN}/x", [AlertEvent.RUN_FAILED], canary_secret("rekey-webhook"))
        await create_webhook(
            tx,
            runtime.clock,
            runtime.vault,
            (ORIGIN,),
            organization_id=await default_organization(tx),
            new=new,
            created_by="test",
        )
    await runtime.close()


@pytest.fixture(scope="module")
async def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data directory of an installation that holds secrets, closed; copied by each test."""
    data_dir = tmp_path_factory.mktemp("rekey") / "data"
    await furnish(data_dir)
    return data_dir


@pytest.fixture
def mine(furnished: Path, tmp_path: Path) -> Path:
    """Return a data directory of this test's own."""
    return Path(shutil.copytree(furnished, tmp_path / "data"))


@pytest.fixture
async def runtime(mine: Path) -> AsyncIterator[Runtime]:
    """Open the installation that holds secrets."""
    open_now = await opened(mine)
    yield open_now
    await open_now.close()


async def look(runtime: Runtime) -> list[SealedValue]:
    """Try everything that is sealed."""
    async with runtime.store.read() as tx:
        return await tx.run_sync(survey, runtime.vault)


async def secrets(runtime: Runtime) -> list[str]:
    """Open the credentials as a run does."""
    async with runtime.store.read() as tx:
        rows = (await tx.execute(select(credentials).order_by(credentials.c.id))).all()
    signs = [open_sign_in(row, runtime.vault, None) for row in rows]
    return [str(getattr(sign, "client_secret", None) or getattr(sign, "password", "")) for sign in signs]


async def test_rotation_seals_everything_with_a_new_key(runtime: Runtime, mine: Path) -> None:
    """Secrets stay what they were, cursors stay valid, and afterwards the new key alone is enough."""
    (old,) = runtime.vault.key_ids
    before, derived = await secrets(runtime), runtime.vault.derive("cursor")
    done = await rotate(runtime)
    assert (done.is_new, done.resealed, done.old, done.unreadable) == (True, SEALED, (old,), [])
    assert {found.key_id for found in await look(runtime)} == {done.key_id} != {old}
    await runtime.close()
    path = mine / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    new, kept = split_keys(path.read_text())
    assert (new[:8], kept[:8]) == (done.key_id, old)
    again = await opened(mine, keys=new)
    assert (await secrets(again), again.vault.derive("cursor")) == (before, derived)
    await again.close()
    with pytest.raises(KeyUnusable):
        await opened(mine, keys=kept)


async def test_old_keys_leave_the_file_when_they_are_to_be_forgotten(runtime: Runtime, mine: Path) -> None:
    """Only on demand: backups that were made earlier need them."""
    done = await rotate(runtime, forget_old=True)
    assert done.old == ()
    (new,) = split_keys((mine / KEY_FILE).read_text())
    assert runtime.vault.key_ids == (new[:8],)
    assert len(await secrets(runtime)) == CREDENTIALS


async def test_old_keys_stay_in_the_file_while_a_value_needs_one_that_is_missing(runtime: Runtime, mine: Path) -> None:
    """A value that no key opens is reported and left as it is, and nothing is forgotten for it."""
    async with runtime.store.write() as tx:
        await tx.execute(update(credentials).where(credentials.c.id == 2).values(sealed_secret=b"\x01" + b"\xab" * 60))
    done = await rotate(runtime, forget_old=True)
    (left,) = done.unreadable
    assert (left.noun, left.id, left.key_id, left.problem) == ("credential", 2, "abababab", "UNKNOWN_KEY")
    assert done.resealed == SEALED - 1
    assert len(split_keys((mine / KEY_FILE).read_text())) == 2
    # It does not keep a later rotation from making a key of its own.
    assert (await rotate(runtime)).is_new


class Broken(BaseException):
    """Stands for the end of the process."""


def breaking(number: int) -> Callable[[], None]:
    """Break off before the statement of a number that changes a sealed value; returns what ends that."""
    seen = 0

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        nonlocal seen
        seen += statement.startswith("UPDATE")
        if seen == number:
            raise Broken

    event.listen(Engine, "before_cursor_execute", note)
    return lambda: event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.slow(cases=3)
@pytest.mark.parametrize("number", range(1, SEALED + 1))
async def test_rotation_goes_on_when_it_was_broken_off_at_any_value(mine: Path, number: int) -> None:
    """Whichever value comes next: a new start opens every secret, and one more call does the rest."""
    runtime = await opened(mine)
    before = await secrets(runtime)
    stop = breaking(number)
    with pytest.raises(Broken):
        await rotate(runtime)
    stop()
    await runtime.close()
    again = await opened(mine)
    assert await secrets(again) == before
    ahead = [found.key_id == again.vault.seal_id for found in await look(again)]
    assert sum(ahead) == number - 1
    done = await rotate(again)
    assert (done.is_new, done.resealed) == (False, SEALED - (number - 1))
    await again.close()
    (new, _) = split_keys((mine / KEY_FILE).read_text())
    alone = await opened(mine, keys=new)
    assert await secrets(alone) == before
    await alone.close()


async def test_secret_that_is_set_while_keys_change_has_the_new_one(runtime: Runtime) -> None:
    """Credentials are created between the values; when the rotation returns, none is left with the old key."""
    rotating = asyncio.create_task(rotate(runtime))
    for number in range(10, 20):
        await add_credential(runtime, number)
    done = await rotating
    assert {found.key_id for found in await look(runtime)} == {done.key_id}
    assert len(await secrets(runtime)) == CREDENTIALS + 10


async def test_keys_of_the_settings_are_rotated_to_the_first(mine: Path) -> None:
    """With ROLLCALL_KEYS no key is made and no file touched: the operator's first key seals."""
    (old,) = split_keys((mine / KEY_FILE).read_text())
    new, before = new_key(), (mine / KEY_FILE).read_bytes()
    runtime = await opened(mine, keys=f"{new},{old}")
    done = await rotate(runtime)
    assert (done.key_id, done.is_new, done.resealed, done.old) == (new[:8], False, SEALED, (old[:8],))
    assert (mine / KEY_FILE).read_bytes() == before
    assert (await rotate(runtime)).resealed == 0
    await runtime.close()


async def test_rotation_is_refused_when_the_key_file_lost_the_key_in_use(runtime: Runtime, mine: Path) -> None:
    """Somebody replaced the file under a running server: nothing is changed that could not be opened again."""
    path = mine / KEY_FILE
    path.write_text(new_key() + "\n")
    before = path.read_bytes()
    with pytest.raises(KeyUnusable) as caught:
        await rotate(runtime)
    assert caught.value.hint
    assert path.read_bytes() == before
    assert not [found for found in await look(runtime) if found.problem]


@pytest.mark.parametrize("found_again", [False, True])
async def test_lost_key_costs_the_secrets_and_nothing_else(mine: Path, found_again: bool) -> None:
    """The inventory goes on with a new key; what the lost one sealed is named, and opens if it is found after all."""
    lost = (mine / KEY_FILE).read_text()
    (mine / KEY_FILE).unlink()
    with pytest.raises(KeyUnusable) as caught:
        await opened(mine)
    assert "key lost" in (caught.value.hint or "")
    closed = await go_on_without(Config(mine))
    assert [found.noun for found in closed] == ["credential"] * CREDENTIALS + ["webhook"]
    if found_again:
        with (mine / KEY_FILE).open("a") as file:
            file.write(lost)
    runtime = await opened(mine)
    await add_credential(runtime, 10)
    problems = [found.problem for found in await look(runtime) if found.problem]
    assert problems == ([] if found_again else ["UNKNOWN_KEY"] * (SEALED - 1))
    await runtime.close()
    with pytest.raises(Conflict):
        await go_on_without(Config(mine))


def test_every_sealed_column_is_known_to_the_rotation() -> None:
    """A new table with a sealed column that a rotation forgot would lose its secrets with the old key."""
    assert sealed_columns() == {(kind.table.name, kind.column) for kind in KINDS}
    assert len(KINDS) >= 3
