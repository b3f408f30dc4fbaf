"""Changes the key that secrets are sealed with, while everything goes on; never loses an old key that is needed."""

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
    """What a rotation came to.

    Args:
        key_id: of the key that seals everything now.
        is_new: whether that key was made for it.
        resealed: how many values were sealed anew.
        old: ids of the other keys that are known, which this database needs no more.
        unreadable: what no present key opens; it was left as it is.
    """

    key_id: str
    is_new: bool
    resealed: int
    old: tuple[str, ...]
    unreadable: list[SealedValue]


async def rotate(runtime: Runtime, *, forget_old: bool = False) -> Rotation:
    """Seal everything with a new key, put before the others of the key file, or with the first key of the settings.

    Killed anywhere, it goes on when it is asked again: no further key is made before the last rotation is finished.

    Args:
        forget_old: take the keys that are not needed any more out of the key file.
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
    """Let the present keys be the database's after another was lost; whoever calls holds the data directory's lock.

    What the lost key sealed stays as it is, in case the key is found, and opens for nobody. A key file is made when
    there is none.

    Returns:
        What cannot be opened, and has to be entered again.

    Raises:
        Conflict: nothing is lost.
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
        raise Conflict("The present key is the database's.", hint="`rollcall key check` names what it does not open.")
    tx.execute(update(vault_proof).values(sealed=vault.seal(new_root(), ROOT_PLACE)))
    return [found for found in closed if found.noun != "proof"]


def _check_file(path: Path, vault: Vault) -> None:
    """Refuse to go on when the file was changed by hand so that keys in use would be lost with it."""
    missing = set(vault.key_ids) - set(Vault.parse(read_key_file(path)).key_ids)
    if missing:
        raise KeyUnusable(
            f"The key file does not hold key {min(missing)} any more, which this process uses.",
            hint="Restore the key file; nothing was changed.",
        )
