"""`rollcall backup` and `rollcall restore`: whole copies of the database, and what their keys are."""

from __future__ import annotations

from pathlib import Path

import click

from server.operator.operations import runtime_config
from server.settings import read_settings
from sync.clock import SystemClock
from sync.errors import KeyUnusable
from sync.runtime import DATABASE_FILE, KEY_FILE, Config, read_vault, take_lock
from sync.secret.sealed import survey
from sync.secret.vault import Vault
from sync.store.snapshot import Copy, back_up, reading
from sync.store.snapshot import restore as put_back

MIB = 1024 * 1024
STAMP = "%Y%m%dT%H%M%SZ"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Take the place of a file of that name.")
@click.option("--quiet", is_flag=True, help="Say nothing when all went well.")
def backup(file: Path, replace: bool, quiet: bool) -> None:
    """Copy the database to one file, also while the server runs.

    The copy is one moment of the inventory, looked through to its last page, and only you can read it. It holds no
    key: keep those elsewhere.
    """
    config = runtime_config(read_settings())
    done = back_up(config.data_dir / DATABASE_FILE, file, replace=replace)
    if quiet:
        return
    click.echo(f"{file} holds the inventory, {_size(done)}, and was checked.")
    with reading(file) as connection:
        ids = sorted({found.key_id for found in survey(connection, None) if found.key_id})
    click.echo(f"Its secrets open with {_keys(ids)} alone: keep {_where(config)} in another place.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Put a backup in the database's place, while no server runs.

    The file is checked first. The database that it replaces is kept beside it.
    """
    config = runtime_config(read_settings())
    database = config.data_dir / DATABASE_FILE
    lock = take_lock(config.data_dir)
    try:
        aside = database.with_name(f"{database.name}.replaced-{SystemClock().now().strftime(STAMP)}")
        done, replaced = put_back(file, database, aside)
        click.echo(f"{database} is restored, {_size(done)}.")
        if replaced:
            click.echo(f"What was there is kept as {aside}; delete it when you need it no more.")
        click.echo(_key_advice(config, database))
        click.echo("Tokens that were revoked since that backup are valid again: `rollcall token list` shows them.")
    finally:
        lock.release()


def _key_advice(config: Config, database: Path) -> str:
    try:
        vault: Vault | None = read_vault(config)
    except KeyUnusable:
        vault = None
    with reading(database) as connection:
        closed = [found for found in survey(connection, vault) if found.problem]
    if not closed:
        return "The present key opens all its secrets."
    ids = sorted({found.key_id or "unknown" for found in closed})
    return (
        f"The present keys do not open {len(closed)} of its sealed values: before you start the server, "
        f"put {_keys(ids)} into {_where(config)}, mode 0600. `rollcall key check` says what is still closed."
    )


def _size(copy: Copy) -> str:
    return f"{copy.bytes / MIB:.1f} MiB"


def _keys(ids: list[str]) -> str:
    return ("key " if len(ids) == 1 else "keys ") + ", ".join(ids)


def _where(config: Config) -> str:
    return "ROLLCALL_KEYS" if config.keys is not None else str(config.data_dir / KEY_FILE)
