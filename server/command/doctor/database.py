"""Checks of the database: its schema, its integrity, and whether the present keys open its secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from server.command.doctor.finding import Finding, doubtful, well, wrong
from sync.errors import KeyUnusable, StoreError
from sync.runtime import DATABASE_FILE, KEY_FILE, Config, read_vault
from sync.secret.sealed import survey
from sync.store.integrity import faults
from sync.store.migrate import head, is_known, refuse_misfit, revision_of
from sync.store.snapshot import reading
from sync.store.tables import credentials


def check_database(config: Config, *, full: bool) -> Iterator[Finding]:
    """Check the database, whether or not a server runs; stop at a check that fails to read it."""
    path = config.data_dir / DATABASE_FILE
    if not path.exists():
        yield _none_yet(config, "There is no database yet; the first start makes it.")
        return
    try:
        with reading(path) as connection:
            present = revision_of(connection)
            yield _schema(config, present)
            yield _integrity(connection, path, full=full)
            if present == head() or (present and not is_known(present)):
                refuse_misfit(connection, present)
                yield from _keys(connection, config)
    except StoreError as error:
        yield wrong("database", error.message, error.hint or "Restore a backup.")


def clouds_in_use(config: Config) -> list[str]:
    """Return the clouds of the stored credentials; none if the database cannot be read."""
    try:
        with reading(config.data_dir / DATABASE_FILE) as connection:
            present = revision_of(connection)
            if present is None or (present != head() and is_known(present)):
                return []
            return sorted(connection.scalars(select(credentials.c.cloud).distinct()))
    except StoreError:
        return []


def _none_yet(config: Config, message: str) -> Finding:
    if not (config.data_dir / KEY_FILE).exists():
        return well("migrations", message)
    return doubtful(
        "migrations",
        f"{message} But there is a key file already, so a database is probably missing.",
        "Check ROLLCALL_DATA_DIR, or `rollcall restore` a backup, before the next start begins an empty inventory.",
    )


def _schema(config: Config, present: str | None) -> Finding:
    if present is None:
        return _none_yet(config, "The database is empty; the next start makes its tables.")
    if not is_known(present):
        return well(
            "migrations", f"The schema ({present}) is that of a newer version, which allows this version to use it."
        )
    if present != head():
        return doubtful(
            "migrations",
            f"The database has the schema {present}; this version has {head()}.",
            "The next start migrates the database: run `rollcall backup` before.",
        )
    return well("migrations", f"The schema is that of this version ({present}).")


def _integrity(connection: Connection, path: Path, *, full: bool) -> Finding:
    found = faults(connection, full=full)
    how = "fully" if full else "quickly; --full also compares its indexes and follows its references"
    if found:
        return wrong(
            "integrity",
            f"The database is damaged: {found[0].splitlines()[-1]}.",
            "Stop the server and `rollcall restore` a backup.",
        )
    return well("integrity", f"{path.name} is not damaged (checked {how}).")


def _keys(connection: Connection, config: Config) -> Iterator[Finding]:
    try:
        vault = read_vault(config)
    except KeyUnusable as error:
        yield wrong("key", error.message, error.hint or "`rollcall key check` says more.")
        return
    found = survey(connection, vault)
    closed = [one for one in found if one.problem]
    behind = [one for one in found if not one.problem and one.key_id != vault.seal_id]
    if closed:
        yield wrong(
            "key", f"{len(closed)} of {len(found)} sealed values cannot be opened.", "`rollcall key check` names them."
        )
    elif behind:
        yield doubtful(
            "key",
            f"{len(behind)} of {len(found)} sealed values have an older key.",
            "Finish with `rollcall key rotate`.",
        )
    else:
        yield well("key", f"Key {vault.seal_id} opens all {len(found)} sealed values.")
