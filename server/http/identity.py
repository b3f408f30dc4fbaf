"""Finds the caller by the bearer token; every bad token gets the same answer, whatever is wrong with it.

A token is an API token of ours, or an access token that the operator's directory issued for this server. No token is
logged, kept or echoed. When an API token is revoked or its role changes, the next request sees it (`KnownTokens` in
sync/organization/tokens.py).
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
from sync.organization.tokens import KNOWN_MAX, digest, is_revoked, lifetime_s
from sync.runtime import Runtime
from sync.store import AnyRow
from sync.wait import first_of

BEARER = re.compile(r"Bearer +([\x21-\x7e]{1,8192})\Z", re.IGNORECASE)
# No app role makes a superuser: superusers cross organizations, and a directory must not grant that.
APP_ROLES = {f"Rollcall.{role.capitalize()}": role for role in Role if role is not Role.SUPERUSER}


def refused() -> Refused:
    """Return the same refusal for a missing, malformed, unknown, expired or revoked token."""
    return Refused(
        401,
        "UNAUTHENTICATED",
        "A valid API token is needed.",
        hint="Send Authorization: Bearer <token>; `rollcall token create` makes a token.",
        headers={"WWW-Authenticate": 'Bearer realm="rollcall"'},
    )


class Identity:
    """Finds callers by their tokens.

    Args:
        settings: name the directory whose access tokens are accepted, if any.
        runtime: holds the API tokens.

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
        # digest of a directory's token → its caller, until the token expires
        self._known: Recent[Principal] = Recent(KNOWN_MAX)

    async def identify(self, request: Request) -> Principal:
        """Return the caller of a request.

        Raises:
            Refused: 401, there is not exactly one valid token; 403, the caller has no role; 503, the directory's keys
                cannot be read now.
        """
        return _noted(await self._known_by(bearer(request.headers.getlist("authorization"))), request.scope)

    def recall(self, scope: Scope) -> Principal | None:
        """Return the caller of a token that is cached and still valid; None if only `identify` can tell."""
        text = bearer([value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"])
        if text is None:
            return None
        row = self._runtime.tokens.recall(text)
        found = self._recall_caller(text) if row is None else _of_token(row)
        return None if found is None else _noted(found, scope)

    async def admit(self, authorization: str, scope: Scope) -> Principal:
        """Return the caller for the text of an Authorization header, such as from `connection_init`.

        Raises:
            Refused: as `identify` does.
        """
        return _noted(await self._known_by(bearer([authorization])), scope)

    async def until_void(self, principal: Principal) -> bool:
        """Wait until a caller's token is revoked or expires; return whether it has expired."""
        runtime = self._runtime
        if principal.expires_at is not None:
            await runtime.clock.sleep(max(0.0, (principal.expires_at - runtime.clock.now()).total_seconds()))
            return True
        assert isinstance(principal.token_id, int)  # noqa: S101 - an API token: only a directory's has a text as id
        with runtime.events.subscribe(principal.token_id, [TOKEN]) as news:
            seconds = await lifetime_s(runtime.store, runtime.clock, principal.token_id)
            if seconds is None:
                await anext(news)
                return False
            await first_of(runtime.clock.sleep(seconds), anext(news))
        return not await is_revoked(runtime.store, principal.token_id)

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
    # APP_ROLES is ordered from the weakest role to the strongest, as Role is.
    if given := [role for name, role in APP_ROLES.items() if name in caller.app_roles]:
        return given[-1]
    raise Refused(
        403,
        "FORBIDDEN",
        "Your account has no role in Rollcall.",
        hint=f"Ask an administrator of the directory to assign you one of the app roles {', '.join(APP_ROLES)}.",
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
    """Return the token of the Authorization headers; None unless there is exactly one, with a bearer token."""
    if len(headers) != 1:
        return None
    match = BEARER.match(headers[0].strip())
    return match[1] if match else None
