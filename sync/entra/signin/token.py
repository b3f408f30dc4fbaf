"""Access tokens for Graph: signs in through MSAL and keeps one token; never stores a secret.

Every sign-in creates a new MSAL application in a worker thread and drops it afterwards: MSAL blocks, even in its
constructor, and caches refusals, so that it would refuse a corrected password too.

Source: learn.microsoft.com/entra/msal/python,
learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio.to_thread
import msal
import requests
from msal.exceptions import MsalError

from sync.clock import Clock
from sync.entra.cloud import Endpoints, check_client_id, check_tenant
from sync.entra.diagnose import sign_in_error
from sync.entra.outbound import DIRECT, Outbound
from sync.entra.signin.authority import AuthorityClient, SignInLimits, connection_error
from sync.errors import BadResponse, EntraError, SignInFailed, Unavailable

EARLY_S = 300.0
"""A token is replaced this long before it ends."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}", re.ASCII)
_LIFETIME_S_MAX = 86_400.0
_LIMITS = SignInLimits()


@dataclass(frozen=True)
class SecretSignIn:
    """Sign-in of an app with its client secret: application permissions."""

    endpoints: Endpoints
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_ids(self)


@dataclass(frozen=True)
class PasswordSignIn:
    """Sign-in of an app as a user with name and password (ROPC): delegated permissions."""

    endpoints: Endpoints
    tenant_id: str
    client_id: str
    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_ids(self)


SignIn = SecretSignIn | PasswordSignIn


def _check_ids(sign_in: SignIn) -> None:
    object.__setattr__(sign_in, "tenant_id", check_tenant(sign_in.tenant_id))
    object.__setattr__(sign_in, "client_id", check_client_id(sign_in.client_id))


class TokenProvider(Protocol):
    """Provides the Graph client with tokens."""

    async def token(self) -> str:
        """Return a token for the next request."""

    def drop(self, token: str) -> None:
        """Forget a token that Graph rejected; do nothing if it was replaced already."""


@dataclass(frozen=True)
class _Issued:
    token: str = field(repr=False)
    lifetime_s: float


class MsalTokens:
    """A TokenProvider that signs in through MSAL; concurrent requests share one sign-in.

    Expiry is measured by the monotonic clock, so that a wrong wall clock does not matter.
    """

    def __init__(
        self, sign_in: SignIn, clock: Clock, *, limits: SignInLimits = _LIMITS, outbound: Outbound = DIRECT
    ) -> None:
        self._sign_in: SignIn | None = sign_in
        self._limits, self._outbound = limits, outbound
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    async def token(self) -> str:
        """Return the current token, or sign in for a new one.

        Raises:
            SignInFailed: the service refused the credential, or `close` was called.
            Unavailable, Throttled, BadResponse, OffOrigin: the service gave no usable answer.
        """
        async with self._lock:
            if self._token is None or self._clock.monotonic() >= self._renew_at:
                self._keep(await self._issue())
            assert self._token is not None  # noqa: S101 - for the type checker; set by _keep
            return self._token

    def drop(self, token: str) -> None:
        """Forget `token` if it is still the current one; the next request signs in again."""
        if token == self._token:
            self._token = None

    def close(self) -> None:
        """Forget the secret and the token, at the end of a run."""
        self._sign_in = None
        self._token = None

    def _keep(self, issued: _Issued) -> None:
        # Keep a short-lived token for half of its life: otherwise every request would sign in.
        early_s = min(EARLY_S, issued.lifetime_s / 2)
        self._token = issued.token
        self._renew_at = self._clock.monotonic() + issued.lifetime_s - early_s

    async def _issue(self) -> _Issued:
        if self._sign_in is None:
            raise SignInFailed("The credential is no longer open.")
        try:
            # The thread cannot be cancelled: abandon it, and its own timeouts end it.
            async with asyncio.timeout(self._limits.sign_in_s):
                outcome = await anyio.to_thread.run_sync(
                    acquire, self._sign_in, self._clock, self._limits, self._outbound, abandon_on_cancel=True
                )
        except TimeoutError:
            raise Unavailable("The sign-in service took too long to answer.") from None
        if isinstance(outcome, EntraError):
            raise outcome
        return outcome


class StaticToken:
    """A TokenProvider for tests: a fixed token, or one from `issue`, which is called again after a drop."""

    def __init__(self, issue: str | Callable[[], str]) -> None:
        self._issue = issue
        self._token: str | None = None
        self.dropped = 0

    async def token(self) -> str:
        """Return the token."""
        if self._token is None:
            self._token = self._issue if isinstance(self._issue, str) else self._issue()
        return self._token

    def drop(self, token: str) -> None:
        """Count the rejection and forget the token."""
        self.dropped += 1
        if token == self._token:
            self._token = None


def acquire(
    sign_in: SignIn, clock: Clock, limits: SignInLimits = _LIMITS, outbound: Outbound = DIRECT
) -> _Issued | EntraError:
    """Sign in once, blocking; return an error instead of raising it.

    The traceback of a raised error would keep MSAL's frames, whose variables contain the secret.
    """
    secret = sign_in.client_secret if isinstance(sign_in, SecretSignIn) else sign_in.password
    try:
        http = AuthorityClient(sign_in.endpoints, clock, limits, outbound)
        try:
            result = _ask(sign_in, http)
        finally:
            http.close()
    except EntraError as error:
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)
    except requests.exceptions.RequestException as error:
        return connection_error(error)
    except (MsalError, ValueError, RuntimeError):
        return BadResponse("The sign-in service sent an answer that cannot be understood.")
    return _outcome(result, secret)


def _ask(sign_in: SignIn, http: AuthorityClient) -> Mapping[str, Any]:
    authority = f"{sign_in.endpoints.authority}/{sign_in.tenant_id}"
    # No instance discovery at login.microsoftonline.com: the clouds are a fixed list or set by the operator. No
    # regional token service: MSAL would take it from the environment.
    if isinstance(sign_in, SecretSignIn):
        app = msal.ConfidentialClientApplication(
            sign_in.client_id,
            client_credential=sign_in.client_secret,
            authority=authority,
            http_client=http,
            instance_discovery=False,
            azure_region=False,
        )
        return _answer(app.acquire_token_for_client(scopes=[sign_in.endpoints.scope]))
    # ConfidentialClientApplication without a secret sends the same request as PublicClientApplication, which warns on
    # each use of this flow; a warning cannot be filtered in one thread only.
    app = msal.ConfidentialClientApplication(
        sign_in.client_id,
        client_credential=None,
        authority=authority,
        http_client=http,
        instance_discovery=False,
        azure_region=False,
        exclude_scopes=["offline_access"],
    )
    return _answer(
        app.acquire_token_by_username_password(sign_in.username, sign_in.password, scopes=[sign_in.endpoints.scope])
    )


def _answer(result: object) -> Mapping[str, Any]:
    return result if isinstance(result, Mapping) else {}


def _outcome(result: Mapping[str, Any], secret: str) -> _Issued | EntraError:
    token = result.get("access_token")
    if not token:
        return sign_in_error(result, secrets=(secret,))
    lifetime_s = _lifetime_s(result.get("expires_in"))
    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or lifetime_s is None:
        return BadResponse("The sign-in service sent a token that cannot be used.")
    return _Issued(token, lifetime_s)


def _lifetime_s(expires_in: object) -> float | None:
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return None
    return min(seconds, _LIFETIME_S_MAX) if seconds > 0 else None
