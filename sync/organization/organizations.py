"""Organizations and their sites; no data crosses from one organization to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.errors import BadInput, Conflict, NotFound
from sync.scan.options import check_site_scope
from sync.store import tables
from sync.store.engine import CHANGED

NAME_CHARS_MAX = 200
TEXT_CHARS_MAX = 4_000
_NEXT_VERSION = (
    update(tables.organizations)
    .where(tables.organizations.c.id == bindparam("organization"))
    .values(version=tables.organizations.c.version + 1)
    .returning(tables.organizations.c.version)
)


async def create_organization(tx: AsyncConnection, clock: Clock, name: str) -> int:
    """Create an organization and return its key; it has no site yet.

    Raises:
        BadInput: the name is empty or too long.
        Conflict: the name is taken.
    """
    now = timestamp(clock.now())
    return await _insert(
        tx, tables.organizations, "organization", name=check_name(name), created_at=now, updated_at=now
    )


async def create_site(
    tx: AsyncConnection,
    clock: Clock,
    organization_id: int,
    name: str,
    description: str | None = None,
    scope: Sequence[str] | None = None,
) -> int:
    """Create a site in an organization and return its key; without a scope, scans of any address are allowed.

    Raises:
        BadInput: the name is empty or too long, or the scope is malformed.
        Conflict: the organization has a site of that name.
    """
    now = timestamp(clock.now())
    return await _insert(
        tx,
        tables.sites,
        "site",
        organization_id=organization_id,
        name=check_name(name),
        description=check_text(description, "description"),
        scope=check_site_scope(scope),
        created_at=now,
        updated_at=now,
    )


async def update_site(
    tx: AsyncConnection, clock: Clock, organization_id: int, site_id: int, given: Mapping[str, Any]
) -> None:
    """Change name, description or scope of a site.

    Raises:
        NotFound: the organization has no such site.
        BadInput: the name is empty or too long, or the scope is malformed.
        Conflict: the organization has another site of that name.
    """
    checks: dict[str, Callable[[Any], Any]] = {
        "name": lambda name: check_name(name or ""),
        "description": lambda text: check_text(text, "description"),
        "scope": check_site_scope,
    }
    values = {name: checks[name](value) for name, value in given.items()}
    mine = (tables.sites.c.id == site_id, tables.sites.c.organization_id == organization_id)
    statement = update(tables.sites).where(*mine).values(**values, updated_at=timestamp(clock.now()))
    try:
        async with tx.begin_nested():
            changed = (await tx.execute(statement)).rowcount
    except IntegrityError:
        raise Conflict("There is a site of that name already.", path="name") from None
    if not changed:
        raise NotFound("There is no such site.", path="site")


async def default_organization(tx: AsyncConnection) -> int:
    """Return the key of the oldest organization, which the first start created."""
    organization_id = await tx.scalar(select(tables.organizations.c.id).order_by(tables.organizations.c.id).limit(1))
    if organization_id is None:
        raise NotFound("There is no organization.")
    return int(organization_id)


def next_version(tx: Connection, organization_id: int, inventory: str = "assets") -> int:
    """Increment the organization's data version and return it, for the rows that this transaction writes.

    The row stays locked until the commit, so that versions become visible in order: a reader that has read a version
    has read all earlier ones.
    """
    version = tx.scalar(_NEXT_VERSION, {"organization": organization_id})
    if version is None:
        raise NotFound("There is no such organization.")
    tx.info.setdefault(CHANGED, {})[organization_id, inventory] = int(version)
    return int(version)


def check_name(name: str, field: str = "name") -> str:
    """Return the name without surrounding white space; raise BadInput if it is invalid."""
    name = name.strip()
    if not name:
        raise BadInput(f"The {field} is empty.", path=field)
    if len(name) > NAME_CHARS_MAX:
        raise BadInput(f"The {field} has {len(name)} characters; at most {NAME_CHARS_MAX} are allowed.", path=field)
    if not name.isprintable():
        raise BadInput(f"The {field} contains control characters.", path=field)
    return name


def check_text(text: str | None, field: str) -> str | None:
    """Return a free text unchanged; raise BadInput if it is too long."""
    if text is not None and len(text) > TEXT_CHARS_MAX:
        raise BadInput(f"The {field} has {len(text)} characters; at most {TEXT_CHARS_MAX} are allowed.", path=field)
    return text


async def _insert(tx: AsyncConnection, table: Table, noun: str, **values: object) -> int:
    try:
        async with tx.begin_nested():
            result = await tx.execute(insert(table).values(values))
    except IntegrityError:
        raise Conflict(f"There is a {noun} of that name already.", path="name") from None
    key = result.inserted_primary_key
    assert key is not None  # noqa: S101 - every table here has a generated key
    return int(key[0])
