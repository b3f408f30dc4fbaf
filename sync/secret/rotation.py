"""Rotates the key that seals secrets while the server runs; never removes an old key that is still needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, update

from sync.errors import Conflict, KeyUnusable
from sync.runtime import DATABASE_FILE, KEY_FILE, Config, Runtime, read_vault
from sync.secret.sealed import ROOT_PLACE, SealedValue, is_behind, reseal, survey
from sync.secret.vault import Vault, change_key_file, create_key_file, new_key, new_root, read_key_file, split_keys
from sync.store import Store
from sync.store.migrate import migrate
from sync.store.tables import vault_proof


@dataclass(frozen=True)
class Rotation:
    """The result of a rotation.

    Args:
        key_id: the id of the key that now seals everything.
        is_new: whether this rotation created that key.
        resealed: the number of values that were sealed again.
        old: the ids of the other known keys; without `unreadable` values this database no longer needs them.
        unreadable: the values that no known key opens; they were not changed.
    """

    key_id: str
    is_new: bool
    resealed: int
    old: tuple[str, ...]
    unreadable: list[SealedValue]


async def rotate(runtime: Runtime, *, forget_old: bool = False) -> Rotation:
    """Seal everything with a new first key of the key file, or, without a key file, with the first key of the settings.

    After a kill, call it again: it finishes that rotation before it makes another key.

    Args:
        forget_old: remove the keys that are no longer needed from the key file.
    """
    store, vault = runtime.store, runtime.vault
    path = runtime.config.data_dir / KEY_FILE
    has_file = runtime.config.keys is None
    is_new = False
    if has_file:
        _check_file(path, vault)
        is_broken_off = await store.transact(lambda tx: is_behind(tx, vault))
        if not is_broken_off:
            change_key_file(path, [new_key(), *split_keys(read_key_file(path))])
            is_new = True
        vault.adopt(Vault.parse(read_key_file(path)))
    resealed = await reseal(store, vault)
    async with store.read() as tx:
        unreadable = [found for found in await tx.run_sync(survey, vault) if found.problem]
    old = vault.key_ids[1:]
    if has_file and forget_old and not unreadable:
        change_key_file(path, split_keys(read_key_file(path))[:1])
        vault.adopt(Vault.parse(read_key_file(path)))
        old = ()
    return Rotation(vault.seal_id, is_new, resealed, old, unreadable)


async def go_on_without(config: Config) -> list[SealedValue]:
    """Accept the present keys after a key was lost; the caller holds the data directory's lock.

    Values that the lost key sealed stay unchanged, in case the key is found, but cannot be opened. This creates a
    missing key file.

    Returns:
        The values that cannot be opened and must be entered again.

    Raises:
        Conflict: the present keys open the database: none is lost.
    """
    key_file = config.data_dir / KEY_FILE
    if config.keys is None and not key_file.exists():
        create_key_file(key_file)
    vault, store = read_vault(config), Store.at(config.data_dir / DATABASE_FILE)
    try:
        await migrate(store)
        return await store.transact(partial(_prove_anew, vault=vault))
    finally:
        await store.close()


def _prove_anew(tx: Connection, vault: Vault) -> list[SealedValue]:
    closed = [found for found in survey(tx, vault) if found.problem]
    if not any(found.noun == "proof" for found in closed):
        raise Conflict(
            "The present key is the database's key: it is not lost.",
            hint="Run `rollcall key check` to list the secrets that it does not open.",
        )
    tx.execute(update(vault_proof).values(sealed=vault.seal(new_root(), ROOT_PLACE)))
    return [found for found in closed if found.noun != "proof"]


def _check_file(path: Path, vault: Vault) -> None:
    """Refuse to rotate if a key in use was removed from the key file by hand."""
    missing = set(vault.key_ids) - set(Vault.parse(read_key_file(path)).key_ids)
    if missing:
        raise KeyUnusable(
            f"The key file no longer contains key {min(missing)}, which this process uses.",
            hint="Restore the key file. Nothing was changed.",
        )
