"""Seals secrets with AES-256-GCM, bound to the place they are stored in; never logs, never keeps an opened secret.

A sealed value is `0x01 | key id (4 bytes) | nonce (12) | ciphertext and tag`. The place (organization, credential,
field) is associated data, so bytes moved to another row or field do not open. Several keys may be known: the first
seals, all of them open.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.errors import KeyUnusable, Tampered

_VERSION = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_HEADER_BYTES = 1 + 4 + _NONCE_BYTES
_KEY = re.compile(r"([0-9a-f]{8}):([A-Za-z0-9+/]{43}=)")


@dataclass(frozen=True)
class Place:
    """Where a secret belongs; a sealed value opens nowhere else. The id is that of the row that the field is of."""

    organization_id: int
    credential_id: int
    field: str

    def data(self) -> bytes:
        """Return the associated data."""
        return f"rollcall|credential|{self.organization_id}|{self.credential_id}|{self.field}".encode()


class Vault:
    """A ring of keys; `keys` maps a key id of 8 hex digits to 32 bytes, the first one seals."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._seal_id = next(iter(keys))
        self._seal_key = keys[self._seal_id]
        self._derived: dict[str, bytes] = {}
        self._ciphers = {bytes.fromhex(key_id): AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def parse(cls, text: str) -> Vault:
        """Read keys from `id:base64(32 bytes)` separated by commas or white space.

        Raises:
            KeyUnusable: the text is empty or malformed; it is not repeated in the message.
        """
        keys: dict[str, bytes] = {}
        for number, part in enumerate(filter(None, re.split(r"[,\s]+", text)), start=1):
            if not (match := _KEY.fullmatch(part)):
                raise KeyUnusable(
                    f"Key number {number} is malformed.",
                    hint="A key is 8 hex digits, a colon and 32 bytes in base64; `rollcall key new` prints one.",
                )
            keys[match[1]] = base64.b64decode(match[2])
        if not keys:
            raise KeyUnusable("There is no key.", hint="`rollcall key new` prints one.")
        return cls(keys)

    def seal(self, secret: str, place: Place) -> bytes:
        """Encrypt a secret for its place; the length of the result is that of the UTF-8 text plus 33."""
        key_id, nonce = bytes.fromhex(self._seal_id), os.urandom(_NONCE_BYTES)
        return _VERSION + key_id + nonce + self._ciphers[key_id].encrypt(nonce, secret.encode(), place.data())

    def open(self, sealed: bytes, place: Place) -> str:
        """Decrypt what `seal` made for the same place.

        Raises:
            KeyUnusable: it was sealed with a key that is not known here.
            Tampered: a byte was changed, or the value belongs to another place.
        """
        if len(sealed) < _HEADER_BYTES or sealed[:1] != _VERSION:
            raise Tampered
        if not (cipher := self._ciphers.get(sealed[1:5])):
            raise KeyUnusable(
                f"A secret was sealed with key {sealed[1:5].hex()}, which is not known here.",
                hint="Add that key to the key file or to ROLLCALL_KEYS.",
            )
        try:
            return cipher.decrypt(sealed[5:_HEADER_BYTES], sealed[_HEADER_BYTES:], place.data()).decode()
        except InvalidTag:
            raise Tampered from None

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for another use, such as signing cursors, from which the key cannot be learnt."""
        if purpose not in self._derived:
            hkdf = HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose.encode())
            self._derived[purpose] = hkdf.derive(self._seal_key)
        return self._derived[purpose]


def new_key() -> str:
    """Make one key in the form `Vault.parse` reads."""
    return f"{os.urandom(4).hex()}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


def create_key_file(path: Path) -> None:
    """Write a new key to a file only its owner can read; an existing file is never touched."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as out:
        out.write(new_key() + "\n")
        out.flush()
        os.fsync(out.fileno())


def read_key_file(path: Path) -> str:
    """Read a key file.

    Raises:
        KeyUnusable: it is missing, unreadable, not text, or open to other users of the machine.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable("The key file can be read by other users.", hint="Set its mode to 0600.")
        return path.read_text("ascii")
    except FileNotFoundError:
        raise KeyUnusable(
            "The key file is missing, but the database holds secrets sealed with it.",
            hint="Restore the key file, or pass the keys in ROLLCALL_KEYS_FILE; the database was not touched.",
        ) from None
    except (OSError, UnicodeDecodeError, binascii.Error):
        raise KeyUnusable("The key file cannot be read.", hint="Check its permissions and content.") from None
