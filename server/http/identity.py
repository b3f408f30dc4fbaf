"""Finds who is calling from the bearer token; every bad token, whatever is wrong with it, gets the same answer.

A token is one of ours, or an access token that the operator's directory has issued for this server. Never logs, keeps
or echoes one. A revocation or a new role of one of ours acts on the next request
(`KnownTokens` in sync/organization/tokens.py).
"""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.requests import Request
from starlette.types import Scope

from schema.access import Principal, Role
from schema.lru import Recent
from server.graphql.errors import Refused
from server.settings import Settings
from sync.entra.cloud import Cloud, endpoints
from sync.entra.signin.caller import Caller, Callers
from sync.errors import EntraError
from sync.events import TOKEN
from sync.organization.organizations import default_organization
from sync.organization.tokens import KNOWN_MAX, digest, lifetime_s
from sync.runtime import Runtime
from sync.store import AnyRow
from sync.wait import first_of

BEARER = re.compile(r"Bearer +([\x21-\x7e]{1,8192})\Z", re.IGNORECASE)
# A superuser crosses organizations, which no directory decides about.
APP_ROLES = {f"Rollcall.{role.capitalize()}": role for role in Role if role is not Role.SUPERUSER}


def refused() -> Refused:
    """Make the one answer to a missing, malformed, unknown, expired or revoked token."""
    return Refused(
        401,
        "UNAUTHENTICATED",
        "A valid API token is needed.",
        hint="Send Authorization: Bearer <token>; `rollcall token create` makes one.",
        headers={"WWW-Authenticate": 'Bearer realm="rollcall"'},
    )


class Identity:
    """Knows callers by their tokens.

    Args:
        settings: whether callers of a directory are known, and of which.
        runtime: holds our own tokens.

    Raises:
        BadInput: the directory's cloud is not configured.
    """

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self._runtime = runtime
        self._callers: Callers | None = None
        if settings.entra_tenant and settings.entra_client_id:
            service = endpoints(Cloud[settings.entra_cloud.upper()], runtime.custom)
            self._callers = Callers(
                service, settings.entra_tenant, settings.entra_client_id, runtime.clock, settings.outbound
            )
        # digest of a directory's token → whom it stands for, until it ends
        self._known: Recent[Principal] = Recent(KNOWN_MAX)

    async def identify(self, request: Request) -> Principal:
        """Return the caller that the request's bearer token stands for.

        Raises:
            Refused: 401, there is no one valid token; 403, its caller has no role here; 503, that cannot be told now.
        """
        return _noted(await self._known_by(bearer(request.headers.getlist("authorization"))), request.scope)

    def recall(self, scope: Scope) -> Principal | None:
        """Return the caller if the token was found lately and still counts; None says nothing."""
        text = bearer([value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"])
        if text is None:
            return None
        row = self._runtime.tokens.recall(text)
        found = self._recall_caller(text) if row is None else _of_token(row)
        return None if found is None else _noted(found, scope)

    async def admit(self, authorization: str, scope: Scope) -> Principal:
        """Return the caller of an Authorization header's text that came another way.

        Raises:
            Refused: as `identify` does.
        """
        return _noted(await self._known_by(bearer([authorization])), scope)

    async def until_void(self, principal: Principal) -> None:
        """Return when a caller's token no longer counts: at once after it is revoked, and when it expires."""
        runtime = self._runtime
        if principal.expires_at is not None:
            await runtime.clock.sleep(max(0.0, (principal.expires_at - runtime.clock.now()).total_seconds()))
            return
        assert isinstance(principal.token_id, int)  # noqa: S101 - one of ours, which is looked up
        with runtime.events.subscribe(principal.token_id, [TOKEN]) as news:
            seconds = await lifetime_s(runtime.store, runtime.clock, principal.token_id)
            if seconds is None:
                await anext(news)
                return
            await first_of(runtime.clock.sleep(seconds), anext(news))

    async def _known_by(self, text: str | None) -> Principal:
        found = await self._find(text)
        if found is None:
            raise refused()
        return found

    async def _find(self, text: str | None) -> Principal | None:
        row = await self._runtime.tokens.find(text) if text else None
        if row is not None:
            return _of_token(row)
        if text is None or self._callers is None:
            return None
        return self._recall_caller(text) or await self._find_caller(self._callers, text)

    def _recall_caller(self, text: str) -> Principal | None:
        if self._callers is None:
            return None
        found = self._known.find(digest(text))
        if found is None or found.expires_at is None or found.expires_at <= self._runtime.clock.now():
            return None
        return found

    async def _find_caller(self, callers: Callers, text: str) -> Principal | None:
        try:
            caller = await callers.find(text)
        except EntraError as error:
            raise Refused(503, error.code, error.message, hint=error.hint, retryable=True) from None
        if caller is None:
            return None
        async with self._runtime.store.read() as tx:
            organization_id = await default_organization(tx)
        role = _strongest(caller)
        found = Principal(caller.object_id, organization_id, role, caller.name, expires_at=caller.expires_at)
        return self._known.keep(digest(text), found)


def _strongest(caller: Caller) -> Role:
    # From the weakest to the strongest, as roles are declared.
    if given := [role for name, role in APP_ROLES.items() if name in caller.app_roles]:
        return given[-1]
    raise Refused(
        403,
        "FORBIDDEN",
        "Your account has no role in Rollcall.",
        hint=f"Have an administrator of the directory assign you one of the app roles {', '.join(APP_ROLES)}.",
    )


def _noted(principal: Principal, scope: Scope) -> Principal:
    scope.setdefault("state", {})["token_id"] = principal.token_id
    return principal


def _of_token(found: AnyRow) -> Principal:
    # Unpack once: SQLAlchemy resolves `row.name` on every access.
    token_id, organization_id, role, name, _ = found
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
