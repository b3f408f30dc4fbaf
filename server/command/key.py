"""`rollcall key`: makes, checks and changes the keys that seal stored secrets; never shows a secret."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import click

from server.command.cli import Failure, carry_out
from server.operator.operations import runtime_config
from server.settings import read_settings
from sync.errors import Conflict, KeyUnusable, StoreUnreadable
from sync.runtime import DATABASE_FILE, read_vault, take_lock
from sync.secret.rotation import go_on_without
from sync.secret.sealed import TAMPERED, SealedValue, survey
from sync.secret.vault import Vault, create_key_file, new_key
from sync.store.snapshot import reading

WHY = {
    TAMPERED: "it was changed or moved, and no key opens it; enter the secret again",
    "UNKNOWN_KEY": "its key is missing; add that key, or enter the secret again",
}


@click.group()
def key() -> None:
    """Make, check and change the keys that seal stored secrets."""


@key.command("new")
@click.option("--file", type=click.Path(path_type=Path), help="Write the key to a new file that only you can read.")
def key_new(file: Path | None) -> None:
    """Make a key for ROLLCALL_KEYS or a secret store, and print it; this changes nothing else."""
    if file is None:
        click.echo(new_key())
        return
    try:
        create_key_file(file)
    except FileExistsError:
        raise Conflict(f"{file} exists already.", hint="Name a new file: a key file is never overwritten.") from None
    except OSError as error:
        raise KeyUnusable(f"The key file cannot be written ({error.strerror}).") from None
    click.echo(f"The key is in {file}.")


@key.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def key_check(as_json: bool) -> None:
    """Try to open every stored secret, whether or not the server runs; exit with 1 if one cannot be opened."""
    config = runtime_config(read_settings())
    vault = read_vault(config)
    with reading(config.data_dir / DATABASE_FILE) as connection:
        found = survey(connection, vault)
    counts = Counter(one.key_id for one in found if not one.problem)
    closed = [one for one in found if one.problem]
    if as_json:
        keys = [{"id": name, "seals": name == vault.seal_id, "values": counts[name]} for name in vault.key_ids]
        unopened = [{"what": one.noun, "id": one.id, "key": one.key_id, "problem": one.problem} for one in closed]
        click.echo(json.dumps({"keys": keys, "unopened": unopened}))
    else:
        _tell(vault, counts, closed)
    if closed:
        raise Failure(f"{len(closed)} of {len(found)} sealed values cannot be opened by the present keys.")


@key.command("rotate")
@click.option("--forget-old", is_flag=True, help="Remove the old keys from the key file; earlier backups need them.")
def key_rotate(forget_old: bool) -> None:
    """Seal every stored secret with a new key, also while the server runs; resume an interrupted rotation."""
    done = carry_out("key.rotate", {"forget_old": forget_old})
    if done["is_new"]:
        click.echo(f"Key {done['key']} was made and added to the key file in first place.")
    click.echo(f"{done['resealed']} values were sealed again, with key {done['key']}.")
    if done["left"]:
        for name in done["left"]:
            click.echo(f"  {name}: no present key opens it")
        raise Failure("Some values could not be sealed again; `rollcall key check` says why.")
    if done["old"]:
        click.echo(f"Only earlier backups still need: {', '.join(done['old'])}.")
    if not done["resealed"] and not done["is_new"]:
        click.echo("To change the key, put a new one first in ROLLCALL_KEYS, restart the server, and rotate again.")


@key.command("lost")
def key_lost() -> None:
    """Continue with the present key, or a new one, after another key was lost; only while no server runs.

    Nothing is deleted. Secrets that the lost key sealed cannot be opened and have to be entered again.
    """
    config = runtime_config(read_settings())
    database = config.data_dir / DATABASE_FILE
    if not database.exists():
        raise StoreUnreadable("There is no database yet.", hint="Check ROLLCALL_DATA_DIR.")
    lock = take_lock(config.data_dir)
    try:
        closed = asyncio.run(go_on_without(config))
    finally:
        lock.release()
    click.echo("The database uses the present key from now on; earlier cursors are no longer valid.")
    for one in closed:
        click.echo(f"  {one}: enter its secret again")


def _tell(vault: Vault, counts: Counter[str | None], closed: list[SealedValue]) -> None:
    for number, key_id in enumerate(vault.key_ids):
        use = "seals" if number == 0 else "opens" if counts[key_id] else "is no longer needed"
        click.echo(f"Key {key_id} {use}; {counts[key_id]} values are sealed with it.")
    for one in closed:
        click.echo(
            f"{str(one).capitalize()} cannot be opened: {WHY[str(one.problem)]} (key {one.key_id or 'unknown'})."
        )
