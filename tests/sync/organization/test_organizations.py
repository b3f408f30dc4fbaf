"""Organizations, sites and data versions."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from sync.errors import BadInput, Conflict, NotFound
from sync.organization.organizations import (
    check_text,
    create_organization,
    create_site,
    default_organization,
    next_version,
)
from sync.store import Store
from sync.store.tables import organizations, sites
from tests.sync.entra.clock import FakeClock


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "two\nlines", "\u202eevil", "x" * 201])
async def test_organization_is_refused_when_its_name_is_unusable(store: Store, clock: FakeClock, name: str) -> None:
    """Empty, too long and control characters, bidirectional ones included, are refused."""
    with pytest.raises(BadInput):
        async with store.write() as tx:
            await create_organization(tx, clock, name)


async def test_name_is_taken_once_and_the_transaction_goes_on_when_it_is_taken(store: Store, clock: FakeClock) -> None:
    """A taken name is a Conflict, and what else the transaction wrote is kept if the caller goes on."""
    async with store.write() as tx:
        first = await create_organization(tx, clock, " Contoso ")
        with pytest.raises(Conflict):
            await create_organization(tx, clock, "Contoso")
        site = await create_site(tx, clock, first, "Main")
        with pytest.raises(Conflict):
            await create_site(tx, clock, first, "Main")
        second = await create_organization(tx, clock, "Fabrikam")
        assert await create_site(tx, clock, second, "Main") != site
    async with store.read() as tx:
        assert await tx.scalar(select(func.count()).select_from(sites)) == 2
        assert await default_organization(tx) == first


async def test_version_rises_by_one_for_its_organization_only(store: Store, clock: FakeClock) -> None:
    """Each call gives the next number; other organizations keep theirs; an unknown one is refused."""
    async with store.write() as tx:
        home, other = [await create_organization(tx, clock, name) for name in ("Contoso", "Fabrikam")]
        assert [await tx.run_sync(next_version, home) for _ in range(3)] == [1, 2, 3]
        rows = await tx.execute(select(organizations.c.id, organizations.c.version))
        assert {key: version for key, version in rows} == {home: 3, other: 0}
        with pytest.raises(NotFound):
            await tx.run_sync(next_version, 1_000)


async def test_default_organization_is_not_found_when_there_is_none(store: Store) -> None:
    """An empty database has no default organization."""
    with pytest.raises(NotFound):
        async with store.read() as tx:
            await default_organization(tx)


def test_text_is_refused_when_it_is_too_long() -> None:
    """Free text has a limit, which itself is allowed."""
    assert check_text("x" * 4_000, "description") == "x" * 4_000
    assert check_text(None, "description") is None
    with pytest.raises(BadInput, match="4001"):
        check_text("x" * 4_001, "description")
