"""`rollcall backup` and `rollcall restore`: copy the database and put a copy back; name the keys that a copy needs."""

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
@click.option("--replace", is_flag=True, help="Replace FILE if it exists.")
@click.option("--quiet", is_flag=True, help="Print nothing on success.")
def backup(file: Path, replace: bool, quiet: bool) -> None:
    """Copy the database to FILE, also while the server runs.

    The copy is a consistent snapshot, is checked, and is readable by you only. It does not contain the keys: keep them
    in another place.
    """
    config = runtime_config(read_settings())
    done = back_up(config.data_dir / DATABASE_FILE, file, replace=replace)
    if quiet:
        return
    click.echo(f"{file} holds a copy of the database ({_size(done)}), which was checked.")
    with reading(file) as connection:
        ids = sorted({found.key_id for found in survey(connection, None) if found.key_id})
    click.echo(f"Its secrets can be opened only with {_keys(ids)}: keep {_where(config)} in another place.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Replace the database with the backup in FILE, while no server runs.

    The backup is checked first. The replaced database is kept in the data folder.
    """
    config = runtime_config(read_settings())
    database = config.data_dir / DATABASE_FILE
    lock = take_lock(config.data_dir)
    try:
        aside = database.with_name(f"{database.name}.replaced-{SystemClock().now().strftime(STAMP)}")
        done, replaced = put_back(file, database, aside)
        click.echo(f"{database} is restored, {_size(done)}.")
        if replaced:
            click.echo(f"The replaced database is kept as {aside}; delete it when you no longer need it.")
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
        return "The present keys open all its secrets."
    ids = sorted({found.key_id or "unknown" for found in closed})
    return (
        f"The present keys do not open {len(closed)} of its sealed values: before you start the server, "
        f"put {_keys(ids)} into {_where(config)}, mode 0600. `rollcall key check` lists values that stay closed."
    )


def _size(copy: Copy) -> str:
    return f"{copy.bytes / MIB:.1f} MiB"


def _keys(ids: list[str]) -> str:
    return ("key " if len(ids) == 1 else "keys ") + ", ".join(ids)


def _where(config: Config) -> str:
    return "ROLLCALL_KEYS" if config.keys is not None else str(config.data_dir / KEY_FILE)
