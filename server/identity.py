"""Finds who is calling from the bearer token; every bad token, whatever is wrong with it, gets the same answer.

Never logs, keeps or echoes a token. A revocation or a new role acts on the next request (sync/tokens.py, KnownTokens).
"""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.requests import Request
from starlette.types import Scope

from schema.access import Principal, Role
from server.graphql.errors import Refused
from sync.events import TOKEN
from sync.first import first_of
from sync.runtime import Runtime
from sync.store import AnyRow
from sync.tokens import KNOWN_MAX, lifetime_s

BEARER = re.compile(r"Bearer +([\x21-\x7e]{1,512})\Z", re.IGNORECASE)


def refused() -> Refused:
    """Make the one answer to a missing, malformed, unknown, expired or revoked token."""
    return Refused(
        401,
        "UNAUTHENTICATED",
        "A valid API token is needed.",
        hint="Send Authorization: Bearer <token>; `rollcall token create` makes one.",
        headers={"WWW-Authenticate": 'Bearer realm="rollcall"'},
    )


async def identify(runtime: Runtime, request: Request) -> Principal:
    """Return the caller that the request's bearer token stands for.

    Raises:
        Refused: 401, there is no one valid token.
    """
    text = bearer(request.headers.getlist("authorization"))
    found = await runtime.tokens.find(text) if text else None
    if found is None:
        raise refused()
    return _principal(found, request.scope)


def recall(runtime: Runtime, scope: Scope) -> Principal | None:
    """Return the caller if the token was found lately and still counts; None says nothing."""
    text = bearer([value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"])
    found = runtime.tokens.recall(text) if text else None
    return None if found is None else _principal(found, scope)


async def admit(runtime: Runtime, authorization: str) -> Principal | None:
    """Return the caller of an Authorization header's text that came another way; None if it is not good."""
    text = bearer([authorization])
    found = await runtime.tokens.find(text) if text else None
    return None if found is None else _made(found.id, found.organization_id, found.role, found.name)


async def until_void(runtime: Runtime, principal: Principal) -> None:
    """Return when a caller's token no longer counts: at once after it is revoked, and when it expires."""
    with runtime.events.subscribe(principal.token_id, [TOKEN]) as news:
        seconds = await lifetime_s(runtime.store, runtime.clock, principal.token_id)
        if seconds is None:
            await anext(news)
            return
        await first_of(runtime.clock.sleep(seconds), anext(news))


def _principal(found: AnyRow, scope: Scope) -> Principal:
    # Taken apart at once: a row's names are looked up anew each time.
    token_id, organization_id, role, name, _ = found
    scope.setdefault("state", {})["token_id"] = token_id
    return _made(token_id, organization_id, role, name)


@lru_cache(maxsize=KNOWN_MAX)
def _made(token_id: int, organization_id: int, role: str, name: str) -> Principal:
    return Principal(token_id, organization_id, Role[role], name)


def bearer(headers: list[str]) -> str | None:
    """Take the token out of the Authorization headers; None unless there is exactly one, of the right form."""
    if len(headers) != 1:
        return None
    match = BEARER.match(headers[0].strip())
    return match[1] if match else None
