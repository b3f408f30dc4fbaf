"""Signs and checks access tokens like those of Entra ID: RS256 JWTs with an expiry."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from sync.clock import Clock

KEY_ID = "rollcall-simulator"
KNOWN_MAX = 256
GRAPH_RESOURCE = "https://graph.microsoft.com"


@dataclass(frozen=True, slots=True)
class GraphCaller:
    """A caller of Graph and its permissions; `user` is None for an app without a user."""

    client_id: str
    permissions: frozenset[str]
    user: str | None = None

    def has(self, *names: str) -> bool:
        """Return whether any of these permissions was granted."""
        return not self.permissions.isdisjoint(names)


class TokenRefused(Exception):
    """Graph does not accept the token; the message is Graph's own."""


@cache
def _signing_key() -> rsa.RSAPrivateKey:
    # Use one key a process: generating one takes a tenth of a second, and tests make hundreds of tenants.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def base64url(raw: bytes) -> str:
    """Encode as JSON Web Tokens do: base64url without padding."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """Decode base64url without padding; raises ValueError for other text."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_keys() -> dict[str, Any]:
    """Return the key set document that the OpenID configuration points to."""
    numbers = _signing_key().public_key().public_numbers()
    key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID}
    key |= {"n": base64url(numbers.n.to_bytes(256, "big")), "e": base64url(numbers.e.to_bytes(3, "big"))}
    return {"keys": [key]}


def sign(claims: dict[str, Any]) -> str:
    """Return a signed JWT."""
    header = orjson.dumps({"typ": "JWT", "alg": "RS256", "kid": KEY_ID})
    signed = f"{base64url(header)}.{base64url(json.dumps(claims).encode())}"
    signature = _signing_key().sign(signed.encode(), padding.PKCS1v15(), SHA256())
    return f"{signed}.{base64url(signature)}"


class Tokens:
    """Issues and checks the Graph tokens of one tenant."""

    def __init__(self, tenant_id: str, clock: Clock) -> None:
        self._tenant_id = tenant_id
        self._clock = clock
        self._generation = 0
        self._serial = 0
        self._checked: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def issue(
        self, client_id: str, *, roles: set[str], scopes: set[str], user: str | None, lifetime_s: int, issuer: str
    ) -> str:
        """Return a token for Graph with these permissions, valid for `lifetime_s` seconds."""
        now = int(self._clock.now().timestamp())
        self._serial += 1
        claims: dict[str, Any] = {
            "aud": GRAPH_RESOURCE,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_s,
            "appid": client_id,
            "idtyp": "app" if user is None else "user",
            "tid": self._tenant_id,
            "uti": f"{self._serial:022d}",
            "ver": "1.0",
            "xms_sim": self._generation,
        }
        if user is None:
            claims["roles"] = sorted(roles)
        else:
            claims |= {"scp": " ".join(sorted(scopes)), "upn": user}
        return sign(claims)

    def expire_all(self) -> None:
        """Make Graph refuse every token issued so far."""
        self._generation += 1

    def check(self, authorization: str) -> GraphCaller:
        """Return the caller of an Authorization header.

        Raises:
            TokenRefused: the token is missing, malformed, expired or not for this tenant.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused("Access token is empty.")
        claims = self._checked.get(token) or self._verify(token)
        if claims["exp"] <= self._clock.now().timestamp() or claims["xms_sim"] != self._generation:
            raise TokenRefused("Lifetime validation failed, the token is expired.")
        granted = claims.get("roles") or claims.get("scp", "").split()
        return GraphCaller(claims["appid"], frozenset(granted), claims.get("upn"))

    def _verify(self, token: str) -> dict[str, Any]:
        signed, _, signature = token.rpartition(".")
        try:
            key = _signing_key().public_key()
            key.verify(from_base64url(signature), signed.encode(), padding.PKCS1v15(), SHA256())
            claims: dict[str, Any] = orjson.loads(from_base64url(signed.partition(".")[2]))
        except (InvalidSignature, ValueError) as error:
            raise TokenRefused("IDX14100: JWT is not well formed or its signature is invalid.") from error
        if claims.get("aud") != GRAPH_RESOURCE or claims.get("tid") != self._tenant_id:
            raise TokenRefused("Access token validation failure. Invalid audience.")
        self._checked[token] = claims
        if len(self._checked) > KNOWN_MAX:
            self._checked.popitem(last=False)
        return claims
