"""Finds who is calling from the bearer token; every bad token, whatever is wrong with it, gets the same answer.

Never logs, keeps or echoes a token. A revocation or a new role acts on the next request (sync/tokens.py, KnownTokens).
"""

from __future__ import annotations

import re

from starlette.requests import Request

from schema.access import Principal, Role
from server.graphql.errors import Refused
from sync.runtime import Runtime

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
    principal = Principal(
        token_id=found.id,
        organization_id=found.organization_id,
        role=Role[found.role],
        name=found.name,
    )
    request.state.token_id = principal.token_id
    return principal


def bearer(headers: list[str]) -> str | None:
    """Take the token out of the Authorization headers; None unless there is exactly one, of the right form."""
    if len(headers) != 1:
        return None
    match = BEARER.match(headers[0].strip())
    return match[1] if match else None
