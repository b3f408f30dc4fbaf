"""API tokens: the shape, the checksum that costs no database read, and every way to be refused."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select
from sqlalchemy.engine import Engine

from sync.errors import BadInput, NotFound, RollcallError
from sync.organization.organizations import create_organization
from sync.organization.tokens import ROLES, NewToken, create_token, find_token, is_well_formed, revoke_token, token_of
from sync.store import Store
from sync.store.tables import tokens
from tests.canary import watch
from tests.sync.entra.clock import FakeClock


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect every statement that reaches any database while the block runs."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def organization(store: Store, clock: FakeClock, name: str = "Contoso") -> int:
    """Create an organization."""
    async with store.write() as tx:
        return await create_organization(tx, clock, name)


async def new_token(store: Store, clock: FakeClock, organization_id: int, **more: object) -> NewToken:
    """Create a token whose text the search for leaked secrets knows."""
    values = {"name": "laptop", "role": "VIEWER"} | more
    async with store.write() as tx:
        made = await create_token(tx, clock, organization_id=organization_id, **values)  # type: ignore[arg-type]
    watch(made.text)
    return made


async def test_token_is_found_with_its_organization_and_role(store: Store, clock: FakeClock) -> None:
    """A token opens its own organization with its own role; no two tokens are alike."""
    home = await organization(store, clock)
    texts = set()
    for role in ROLES:
        made = await new_token(store, clock, home, role=role)
        row = await find_token(store, clock, made.text)
        assert row is not None
        assert (row.id, row.organization_id, row.role, row.name) == (made.id, home, role, "laptop")
        texts.add(made.text)
    assert len(texts) == len(ROLES)
    assert all(re.fullmatch(r"rc_[0-9A-Za-z]{49}", text) for text in texts)


async def test_token_is_stored_as_its_digest_only(store: Store, clock: FakeClock, database: Path) -> None:
    """The database file holds the SHA-256 and eight characters for display, never the token."""
    made = await new_token(store, clock, await organization(store, clock))
    async with store.read() as tx:
        row = (await tx.execute(select(tokens))).one()
    assert row.digest == hashlib.sha256(made.text.encode()).digest()
    assert row.prefix == made.text[:11]
    await store.close()
    content = database.read_bytes()
    assert made.text[:11].encode() in content
    # A few more: the next character may be that of the next column, a date.
    assert made.text[:16].encode() not in content


async def test_token_is_refused_without_a_read_when_any_character_is_changed(store: Store, clock: FakeClock) -> None:
    """The checksum refuses every single-character change, shift of case included, before the database is asked."""
    made = await new_token(store, clock, await organization(store, clock))
    with statements() as seen:
        for position in range(len(made.text)):
            for other in string.ascii_letters + string.digits + "_-é٣":
                if other != made.text[position]:
                    changed = made.text[:position] + other + made.text[position + 1 :]
                    assert await find_token(store, clock, changed) is None
        assert seen == []
        assert await find_token(store, clock, made.text) is not None
    assert len([one for one in seen if one.startswith("SELECT")]) == 1


@pytest.mark.parametrize("text", ["", "rc_", "Bearer", "rc_" + "0" * 49, "rc_" + "0" * 10_000, "\0" * 52])
async def test_garbage_is_refused_without_a_read(store: Store, clock: FakeClock, text: str) -> None:
    """What has not the shape of a token costs no query."""
    with statements() as seen:
        assert await find_token(store, clock, text) is None
    assert seen == []


async def test_token_is_refused_when_it_has_white_space_around_it(store: Store, clock: FakeClock) -> None:
    """A line break after a token is not part of it, and is not forgiven either."""
    made = await new_token(store, clock, await organization(store, clock))
    for text in (made.text + "\n", " " + made.text, made.text + "0"):
        assert not is_well_formed(text)


async def test_token_is_refused_when_it_has_expired(store: Store, clock: FakeClock) -> None:
    """A token ends to the millisecond after its lifetime; one without an end does not."""
    home = await organization(store, clock)
    ending = await new_token(store, clock, home, lifetime_days=1)
    endless = await new_token(store, clock, home, lifetime_days=None)
    clock.moved_s = timedelta(days=1).total_seconds() - 0.001
    assert await find_token(store, clock, ending.text) is not None
    clock.moved_s += 0.001
    assert await find_token(store, clock, ending.text) is None
    clock.moved_s += timedelta(days=36_500).total_seconds()
    assert await find_token(store, clock, endless.text) is not None


async def test_token_is_refused_when_it_was_revoked(store: Store, clock: FakeClock) -> None:
    """Revoking acts at once, on this token only, and keeps the first time when it is repeated."""
    home = await organization(store, clock)
    made, other = await new_token(store, clock, home), await new_token(store, clock, home)
    times = []
    for _ in range(2):
        async with store.write() as tx:
            await revoke_token(tx, clock, await token_of(tx, made.id, home))
            times.append(await tx.scalar(select(tokens.c.revoked_at).where(tokens.c.id == made.id)))
        assert await find_token(store, clock, made.text) is None
        clock.moved_s += 60
    assert times[0] == times[1]
    assert await find_token(store, clock, other.text) is not None


async def test_token_of_another_organization_is_not_found_when_revoked(store: Store, clock: FakeClock) -> None:
    """An organization cannot revoke a foreign token, and learns nothing about it."""
    home, foreign = await organization(store, clock), await organization(store, clock, "Fabrikam")
    made = await new_token(store, clock, home)
    messages = []
    for token_id in (made.id, made.id + 1_000):
        with pytest.raises(NotFound) as caught:
            async with store.write() as tx:
                await token_of(tx, token_id, foreign)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert await find_token(store, clock, made.text) is not None


@pytest.mark.parametrize(
    "values",
    [{"role": "ROOT"}, {"role": "viewer"}, {"lifetime_days": 0}, {"lifetime_days": 3_651}, {"name": " "}],
    ids=str,
)
async def test_token_is_not_made_when_a_value_is_out_of_range(
    store: Store, clock: FakeClock, values: dict[str, object]
) -> None:
    """An unknown role, a lifetime out of range and an empty name are the caller's mistakes."""
    home = await organization(store, clock)
    with pytest.raises(BadInput) as caught:
        await new_token(store, clock, home, **values)
    assert isinstance(caught.value, RollcallError) and caught.value.facts["path"]
