"""The sealed values of the database: lists them, tries the known keys on them, and seals them again with another key.

An opened secret never leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, literal, select, update

from sync.alert.webhook import secret_place as webhook_place
from sync.errors import KeyUnusable, Tampered
from sync.secret.credentials import secret_place as credential_place
from sync.secret.vault import SecretPlace, Vault, key_of
from sync.store import AnyRow, Store
from sync.store.tables import credentials, metadata, vault_proof, webhooks

ROOT_PLACE = SecretPlace(0, 0, "proof")
UNKNOWN_KEY, TAMPERED = "UNKNOWN_KEY", "TAMPERED"


@dataclass(frozen=True)
class SealedTable:
    """A table with sealed values: the name of its rows, and the place that a row's value is bound to."""

    noun: str
    table: Table
    column: str
    place: Callable[[AnyRow], SecretPlace]

    @property
    def sealed(self) -> Any:
        """The column."""
        return self.table.c[self.column]


KINDS = (
    SealedTable("proof", vault_proof, "sealed", lambda _: ROOT_PLACE),
    SealedTable(
        "credential",
        credentials,
        "sealed_secret",
        lambda row: credential_place(row.organization_id, row.id, row.kind),
    ),
    SealedTable("webhook", webhooks, "sealed_secret", lambda row: webhook_place(row.organization_id, row.id)),
)


@dataclass(frozen=True)
class SealedValue:
    """A sealed value: its row, the id of its key, and the reason if it cannot be opened."""

    noun: str
    id: int
    name: str
    key_id: str | None
    problem: str | None = None

    def __str__(self) -> str:
        if self.noun == "proof":
            return "the proof of the key"
        return f"{self.noun} {self.id} ({self.name})"


def sealed_columns() -> set[tuple[str, str]]:
    """Return (table, column) of every column that is declared as sealed."""
    return {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.name.startswith("sealed")
    }


def survey(connection: Connection, vault: Vault | None) -> list[SealedValue]:
    """Try every sealed value of a database; without a vault nothing can be opened."""
    return [found for kind in KINDS for found in _tried(connection, kind, vault)]


async def reseal(store: Store, vault: Vault) -> int:
    """Seal every value that the vault can open with its first key, one a transaction; return how many were resealed.

    After a kill, call it again: it continues with the rest. Values sealed meanwhile use the first key already, so that
    none is left when it returns.
    """
    count = 0
    while todo := await store.transact(partial(_behind, vault=vault)):
        for kind, row_id in todo:
            count += await store.transact(partial(_renew, kind=kind, row_id=row_id, vault=vault))
    return count


def is_behind(connection: Connection, vault: Vault) -> bool:
    """Tell whether a value that can be opened is sealed with another key than the first."""
    return bool(_behind(connection, vault))


def _tried(connection: Connection, kind: SealedTable, vault: Vault | None) -> Iterator[SealedValue]:
    for row in connection.execute(select(kind.table)):
        sealed = getattr(row, kind.column)
        name = getattr(row, "name", "")
        try:
            key_id = key_of(sealed)
        except Tampered:
            yield SealedValue(kind.noun, row.id, name, None, TAMPERED)
            continue
        yield SealedValue(kind.noun, row.id, name, key_id, _problem(vault, sealed, kind.place(row)))


def _problem(vault: Vault | None, sealed: bytes, place: SecretPlace) -> str | None:
    try:
        if vault is None:
            return UNKNOWN_KEY
        vault.open(sealed, place)
    except KeyUnusable:
        return UNKNOWN_KEY
    except Tampered:
        return TAMPERED
    return None


def _behind(connection: Connection, vault: Vault) -> list[tuple[SealedTable, int]]:
    return [
        (kind, found.id)
        for kind in KINDS
        for found in _tried(connection, kind, vault)
        if found.problem is None and found.key_id != vault.seal_id
    ]


def _renew(tx: Connection, kind: SealedTable, row_id: int, vault: Vault) -> int:
    mine = kind.table.c.id == literal(row_id)
    row = tx.execute(select(kind.table).where(mine)).first()
    # It was deleted or resealed meanwhile.
    if row is None or key_of(getattr(row, kind.column)) == vault.seal_id:
        return 0
    place = kind.place(row)
    sealed = vault.seal(vault.open(getattr(row, kind.column), place), place)
    tx.execute(update(kind.table).where(mine).values({kind.column: sealed}))
    return 1
