"""The opaque tokens of nextLink and deltaLink: encrypted state that a client can neither read nor forge."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from server.simulator.signin.token import base64url, from_base64url


class UnknownCursor(Exception):
    """The text is not a cursor that this tenant issued."""


class Cursors:
    """Seals and opens cursors. The key is derived from the seed, so that links survive a restart of the simulator."""

    def __init__(self, seed: int) -> None:
        self._cipher = AESSIV(blake2b(b"cursor %d" % seed, digest_size=64).digest())

    def seal(self, purpose: str, state: dict[str, Any]) -> str:
        """Return the state as text; the same state gives the same text."""
        return base64url(self._cipher.encrypt(orjson.dumps(state), [purpose.encode()]))

    def open(self, purpose: str, text: str) -> dict[str, Any]:
        """Return the state of a cursor that was sealed for this purpose.

        Raises:
            UnknownCursor: the text is malformed, forged or for another purpose.
        """
        try:
            state: dict[str, Any] = orjson.loads(self._cipher.decrypt(from_base64url(text), [purpose.encode()]))
        except (InvalidTag, ValueError) as error:
            raise UnknownCursor(purpose) from error
        return state
