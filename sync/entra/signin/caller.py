"""Checks access tokens that Entra ID issued for this server, and returns the caller and its app roles; stores nothing.

A token is valid if one of the directory's published keys signed it for this server, and it is an access token of
version 2.0. An ID token is refused: it identifies a user to a front end and grants no access to an API.

Source: learn.microsoft.com/entra/identity-platform/access-tokens (validate tokens),
learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
import requests

from sync.clock import Clock
from sync.entra.cloud import GUID, Endpoints
from sync.entra.outbound import DIRECT, Outbound
from sync.entra.signin.authority import AuthorityClient, SignInLimits, connection_error, json_object
from sync.errors import BadResponse, EntraError, Unavailable

KEYS_S = 24 * 60 * 60.0
"""The age at which published keys are read again."""
KEYS_AGAIN_S = 60.0
"""Shortest time between two reads of the keys, so that tokens with unknown keys cannot cause a read each."""
LEEWAY_S = 60
"""The tolerated difference between the directory's clock and this server's."""
END_MAX = 2**33
"""The latest expiry accepted, in Unix seconds: the year 2242. A later number is not a plausible time."""
NAME_CHARS_MAX = 256
LIMITS = SignInLimits(silence_s=3.0, body_s=3.0, sign_in_s=8.0)
_log = logging.getLogger("rollcall.server")
REQUIRED = ("aud", "azp", "exp", "iat", "iss", "nbf", "oid", "tid", "ver")


@dataclass(frozen=True)
class Caller:
    """The caller: a person or a program of the directory."""

    object_id: str
    name: str
    app_roles: frozenset[str]
    expires_at: datetime


class Callers:
    """Checks the access tokens of one tenant.

    Args:
        endpoints: the sign-in service of its cloud.
        tenant_id: the directory (tenant) id.
        audience: the application (client) id that this server is registered under.
        clock: measures the age of the keys.
        outbound: how to connect to the sign-in service.
    """

    def __init__(
        self, endpoints: Endpoints, tenant_id: str, audience: str, clock: Clock, outbound: Outbound = DIRECT
    ) -> None:
        self._outbound = outbound
        self._endpoints = endpoints
        self._tenant_id = tenant_id
        self._audience = audience
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_at: float | None = None
        self._issuer = ""
        self._keys: dict[str, jwt.PyJWK] = {}

    async def find(self, text: str) -> Caller | None:
        """Return the caller with this token; None if the token is not valid.

        Raises:
            EntraError: the directory's keys cannot be read.
        """
        try:
            header = jwt.get_unverified_header(text)
        except jwt.PyJWTError:
            return None
        key = await self._key(str(header.get("kid")))
        if key is None:
            return None
        try:
            claims = jwt.decode(
                text,
                key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": list(REQUIRED)},
            )
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError):
            # The library computes with any signed value, also with texts, lists and infinity.
            return None
        return self._caller(claims)

    def _caller(self, claims: Mapping[str, Any]) -> Caller | None:
        object_id, roles, end = claims["oid"], claims.get("roles", []), claims["exp"]
        if claims["tid"] != self._tenant_id or claims["ver"] != "2.0" or not isinstance(roles, list):
            return None
        if not isinstance(object_id, str) or not GUID.fullmatch(object_id):
            return None
        # Compare the types: `isinstance` takes a bool for an int.
        if type(end) not in (int, float) or not 0 < end < END_MAX:
            return None
        ends = datetime.fromtimestamp(end + LEEWAY_S, UTC)
        return Caller(object_id, _name(claims), frozenset(map(str, roles)), ends)

    async def _key(self, key_id: str) -> jwt.PyJWK | None:
        """Return the published key of this id, if there is one."""
        async with self._reading:
            age_s = self._age_s()
            if age_s is None or age_s >= KEYS_S or (key_id not in self._keys and age_s >= KEYS_AGAIN_S):
                # Set the time first: otherwise every request would ask a service that is down.
                self._read_at = self._clock.monotonic()
                await self._renew()
        if not self._keys:
            raise Unavailable("The directory's signing keys could not be read.", hint="Try again in a minute.")
        return self._keys.get(key_id)

    async def _renew(self) -> None:
        try:
            self._issuer, self._keys = await asyncio.to_thread(self._read)
        except EntraError as error:
            # The keys of the last read stay valid.
            _log.warning("The directory's signing keys could not be read: %s", error.message)

    def _age_s(self) -> float | None:
        return None if self._read_at is None else self._clock.monotonic() - self._read_at

    def _read(self) -> tuple[str, dict[str, jwt.PyJWK]]:
        """Read the issuer's name and its keys by id."""
        client = AuthorityClient(self._endpoints, self._clock, LIMITS, self._outbound)
        try:
            base = f"{self._endpoints.authority}/{self._tenant_id}/v2.0"
            metadata = json_object(client.get(f"{base}/.well-known/openid-configuration"))
            keys = jwt.PyJWKSet.from_dict(json_object(client.get(str(metadata.get("jwks_uri")))))
            return str(metadata.get("issuer")), {str(key.key_id): key for key in keys.keys}
        except jwt.PyJWTError as error:
            raise BadResponse("The sign-in service sent no usable keys.") from error
        except requests.exceptions.RequestException as error:
            raise connection_error(error) from None
        finally:
            client.close()


def _name(claims: Mapping[str, Any]) -> str:
    """Return a display name as one short line of printable characters, whatever the claims contain."""
    for claim in ("name", "preferred_username", "azp"):
        text = claims.get(claim)
        if isinstance(text, str):
            kept = "".join(char if char.isprintable() else " " for char in text[: 4 * NAME_CHARS_MAX])
            if name := " ".join(kept.split())[:NAME_CHARS_MAX].strip():
                return name
    return ""
