"""Changes the key that secrets are sealed with, while everything goes on; never loses an old key that is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sync.errors import KeyUnusable
from sync.runtime import KEY_FILE, Runtime
from sync.sealed import Found, is_behind, reseal, survey
from sync.vault import Vault, change_key_file, new_key, read_key_file, split_keys


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
    unreadable: list[Found]


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


def _check_file(path: Path, vault: Vault) -> None:
    """Refuse to go on when the file was changed by hand so that keys in use would be lost with it."""
    missing = set(vault.key_ids) - set(Vault.parse(read_key_file(path)).key_ids)
    if missing:
        raise KeyUnusable(
            f"The key file does not hold key {min(missing)} any more, which this process uses.",
            hint="Restore the key file; nothing was changed.",
        )
