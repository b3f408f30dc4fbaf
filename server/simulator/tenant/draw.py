"""Repeatable chance: choices and object ids are pure functions of a seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")
KNOWN_MAX = 65_536  # ids kept: a user is a member of several groups; 10 MB, whatever the size of the tenant
READ_MAX = 1_024  # ids read back lately: rendering one object asks for it several times


class Draw:
    """A stream of small choices fixed by a key: 512 bits, enough for about fifty choices."""

    __slots__ = ("_bits",)

    def __init__(self, key: bytes) -> None:
        self._bits = int.from_bytes(blake2b(key).digest(), "big")

    def below(self, bound: int) -> int:
        """Return a number in [0, bound)."""
        self._bits, value = divmod(self._bits, bound)
        return value

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        self._bits, index = divmod(self._bits, len(options))
        return options[index]

    def percent(self, chance: int) -> bool:
        """Return true in `chance` of a hundred cases."""
        return self.below(100) < chance

    def hex(self, digits: int) -> str:
        """Return lower-case hexadecimal digits."""
        return f"{self.below(16**digits):0{digits}x}"


class Ids:
    """Object ids that can be read back: a GUID (version 4 in shape) hides what it names and its number.

    The number is masked with a keyed hash of a check value, and the check value is a keyed hash of the number,
    so a million ids need no table, and a foreign GUID is recognised as foreign.
    """

    def __init__(self, seed: int) -> None:
        self._check_key = blake2b(b"check %d" % seed, digest_size=32).digest()
        self._mask_key = blake2b(b"mask %d" % seed, digest_size=32).digest()
        self._known = lru_cache(maxsize=KNOWN_MAX)(self._encode)
        self._read = lru_cache(maxsize=READ_MAX)(self._decode)

    def encode(self, code: int, number: int) -> str:
        """Return the GUID of object `number` (below 2**40) of the sort `code` (below 256)."""
        return self._known(code, number)

    def _encode(self, code: int, number: int) -> str:
        plain = (code << 40) | number
        check = blake2b(plain.to_bytes(6, "big"), key=self._check_key, digest_size=9).digest()
        mask = blake2b(check, key=self._mask_key, digest_size=6).digest()
        text = (plain ^ int.from_bytes(mask, "big")).to_bytes(6, "big").hex() + check.hex()
        return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-{'89ab'[check[0] & 3]}{text[15:18]}-{text[18:]}"

    def decode(self, guid: str) -> tuple[int, int] | None:
        """Return the sort and number of a GUID; None if it is not one of ours."""
        return self._read(guid)

    def _decode(self, guid: str) -> tuple[int, int] | None:
        text = guid.lower().replace("-", "")
        if len(guid) != 36 or len(text) != 32:
            return None
        try:
            body = bytes.fromhex(text[:12] + text[13:16] + text[17:])
        except ValueError:
            return None
        mask = blake2b(body[6:], key=self._mask_key, digest_size=6).digest()
        plain = int.from_bytes(body[:6], "big") ^ int.from_bytes(mask, "big")
        code, number = plain >> 40, plain & 0xFFFFFFFFFF
        return (code, number) if self.encode(code, number) == guid.lower() else None
