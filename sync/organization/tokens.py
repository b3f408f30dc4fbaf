"""API tokens: shown once when they are created, and stored as a digest.

The text is `rc_`, 43 base62 characters (32 random bytes) and 6 of their CRC-32: a mistyped token costs no database
read, and secret scanners can recognise a leaked one.
"""

from __future__ import annotations

import hashlib
import os
import re
import string
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.errors import BadInput, NotFound
from sync.events import TOKEN, note
from sync.organization.organizations import check_name
from sync.store import AnyRow, Store
from sync.store.tables import tokens

PREFIX = "rc_"
ROLES = ("VIEWER", "ANNOTATOR", "USER", "ADMINISTRATOR", "SUPERUSER")
LIFETIME_DAYS = 90
LIFETIME_DAYS_MAX = 3_650
KNOWN_MAX = 1_024
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SHAPE = re.compile(rf"{PREFIX}([0-9A-Za-z]{{43}})([0-9A-Za-z]{{6}})", re.ASCII)


@dataclass(frozen=True)
class NewToken:
    """A new token; `text` is stored nowhere and cannot be shown again."""

    id: int
    text: str


async def create_token(
    tx: AsyncConnection,
    clock: Clock,
    *,
    organization_id: int,
    name: str,
    role: str,
    created_by: str | None = None,
    lifetime_days: int | None = LIFETIME_DAYS,
) -> NewToken:
    """Create a token for an organization; with `lifetime_days=None` it does not expire.

    Raises:
        BadInput: the name, role or lifetime is out of range.
    """
    if role not in ROLES:
        raise BadInput(f"There is no such role; roles are {', '.join(ROLES)}.", path="role")
    if lifetime_days is not None and not 1 <= lifetime_days <= LIFETIME_DAYS_MAX:
        raise BadInput(f"The lifetime must be 1 to {LIFETIME_DAYS_MAX} days.", path="lifetimeDays")
    now = clock.now()
    text = _new_text()
    result = await tx.execute(
        insert(tokens).values(
            organization_id=organization_id,
            name=check_name(name),
            role=role,
            digest=digest(text),
            prefix=text[: len(PREFIX) + 8],
            created_by=created_by,
            expires_at=timestamp(now + timedelta(days=lifetime_days)) if lifetime_days else None,
            created_at=timestamp(now),
            updated_at=timestamp(now),
        )
    )
    key = result.inserted_primary_key
    assert key is not None  # noqa: S101 - tokens have a generated key
    return NewToken(int(key[0]), text)


async def token_of(tx: AsyncConnection, token_id: int, organization_id: int | None = None) -> AnyRow:
    """Return a token of one organization, or of any: its id, organization_id, role and revoked_at.

    Raises:
        NotFound: there is no such token.
    """
    columns = (tokens.c.id, tokens.c.organization_id, tokens.c.role, tokens.c.revoked_at)
    found = select(*columns).where(tokens.c.id == token_id)
    if organization_id is not None:
        found = found.where(tokens.c.organization_id == organization_id)
    row = (await tx.execute(found)).first()
    if row is None:
        raise NotFound("There is no such token.")
    return row


async def revoke_token(tx: AsyncConnection, clock: Clock, token: AnyRow) -> None:
    """Revoke a token that `token_of` returned; does nothing if it is revoked already."""
    if token.revoked_at is not None:
        return
    now = timestamp(clock.now())
    await tx.execute(update(tokens).where(tokens.c.id == token.id).values(revoked_at=now, updated_at=now))
    await tx.run_sync(note, TOKEN, token.id)


class KnownTokens:
    """A cache of recently used tokens, so that most requests are authenticated without a database read.

    Each write transaction of this process, on SQLite the only writer, invalidates the cache: a revocation or a new role
    takes effect with the next request. Tokens that were not found are not cached.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._commits = -1
        # digest → the token and when it expires
        self._known: dict[bytes, tuple[AnyRow, datetime | None]] = {}

    def recall(self, text: str) -> AnyRow | None:
        """Return a cached token that is valid now; after None, ask `find`."""
        commits = self._store.commits
        if commits != self._commits or len(self._known) >= KNOWN_MAX:
            self._known.clear()
            self._commits = commits
        row, expires_at = self._known.get(digest(text), (None, None))
        return row if expires_at is None or expires_at > self._clock.now() else None

    async def find(self, text: str) -> AnyRow | None:
        """Look up a presented token, as `find_token` does."""
        row = self.recall(text)
        if row is None:
            # Read the counter first: if another commit lands during the read, do not keep the row.
            commits = self._store.commits
            row = await find_token(self._store, self._clock, text)
            if row is not None and commits == self._commits == self._store.commits:
                expires_at = datetime.fromisoformat(row.expires_at) if row.expires_at else None
                self._known[digest(text)] = (row, expires_at)
        return row


async def find_token(store: Store, clock: Clock, text: str) -> AnyRow | None:
    """Look up a presented token: its id, organization_id, role, name and expires_at; None unless it is valid now.

    A wrong shape or checksum is refused without asking the database.
    """
    if not is_well_formed(text):
        return None
    columns = (tokens.c.id, tokens.c.organization_id, tokens.c.role, tokens.c.name, tokens.c.expires_at)
    statement = select(*columns).where(
        tokens.c.digest == digest(text),
        tokens.c.revoked_at.is_(None),
        tokens.c.expires_at.is_(None) | (tokens.c.expires_at > timestamp(clock.now())),
    )
    async with store.read() as tx:
        return (await tx.execute(statement)).first()


async def lifetime_s(store: Store, clock: Clock, token_id: int) -> float | None:
    """Return for how many more seconds a token is valid; 0 if it is not, None if it does not expire."""
    columns = (tokens.c.revoked_at, tokens.c.expires_at)
    async with store.read() as tx:
        row = (await tx.execute(select(*columns).where(tokens.c.id == token_id))).first()
    if row is None or row.revoked_at is not None:
        return 0.0
    if row.expires_at is None:
        return None
    return max(0.0, (datetime.fromisoformat(row.expires_at) - clock.now()).total_seconds())


async def is_revoked(store: Store, token_id: int) -> bool:
    """Return whether a token was revoked; an unknown one counts as revoked."""
    async with store.read() as tx:
        row = (await tx.execute(select(tokens.c.revoked_at).where(tokens.c.id == token_id))).first()
    return row is None or row.revoked_at is not None


def is_well_formed(text: str) -> bool:
    """Tell whether the text has a token's shape and its checksum is right."""
    match = _SHAPE.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]


def digest(text: str) -> bytes:
    """Hash a token for storage; plain SHA-256 is enough, because 256 random bits cannot be guessed."""
    return hashlib.sha256(text.encode()).digest()


def _new_text() -> str:
    body = _base62(int.from_bytes(os.urandom(32)), 43)
    return PREFIX + body + _checksum(body)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
