"""Seals secrets with AES-256-GCM, bound to the place they are stored in; never logs, never keeps an opened secret.

A sealed value is `0x01 | key id (4 bytes) | nonce (12) | ciphertext and tag`. The place (organization, row, field) is
associated data, so that bytes copied to another row or field do not open. With several keys, the first seals and all of
them open. Keys for other uses are derived from the root, which is sealed in the database: they survive a rotation.
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
class SecretPlace:
    """The place that a secret is bound to; a sealed value opens nowhere else. `credential_id` is the id of its row."""

    organization_id: int
    credential_id: int
    field: str

    def data(self) -> bytes:
        """Return the associated data."""
        return f"rollcall|credential|{self.organization_id}|{self.credential_id}|{self.field}".encode()


class Vault:
    """A ring of keys; `keys` maps key ids of 8 hex digits to 32 bytes; the first key seals.

    All users share one vault, so that new keys take effect for all of them at once.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        self.root: bytes | None = None
        self._derived: dict[str, bytes] = {}
        self._keys = keys
        self._take(keys)

    def _take(self, keys: dict[str, bytes]) -> None:
        self._keys, self.seal_id = keys, next(iter(keys))
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the known keys, the sealing key first; ids are not secret."""
        return tuple(self._keys)

    def adopt(self, other: Vault) -> None:
        """Replace the keys by those of another vault; derived keys stay the same."""
        self._take(other._keys)

    @classmethod
    def parse(cls, text: str) -> Vault:
        """Read keys from `id:base64(32 bytes)` separated by commas or white space.

        Raises:
            KeyUnusable: the text is empty or malformed; it is not repeated in the message.
        """
        keys: dict[str, bytes] = {}
        for number, part in enumerate(split_keys(text), start=1):
            if not (match := _KEY.fullmatch(part)):
                raise KeyUnusable(
                    f"Key number {number} is malformed.",
                    hint="A key is 8 hex digits, a colon and 32 bytes in base64; `rollcall key new` prints one.",
                )
            keys[match[1]] = base64.b64decode(match[2])
        if not keys:
            raise KeyUnusable("There is no key.", hint="`rollcall key new` prints one.")
        return cls(keys)

    def seal(self, secret: str, place: SecretPlace) -> bytes:
        """Encrypt a secret for its place; the result is 33 bytes longer than the UTF-8 text."""
        key_id, nonce = self.seal_id, os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[key_id].encrypt(nonce, secret.encode(), place.data())
        return _VERSION + bytes.fromhex(key_id) + nonce + sealed

    def open(self, sealed: bytes, place: SecretPlace) -> str:
        """Decrypt a value that `seal` made for the same place.

        Raises:
            KeyUnusable: its key is not known here.
            Tampered: a byte was changed, or the value belongs to another place.
        """
        key_id = key_of(sealed)
        if not (cipher := self._ciphers.get(key_id)):
            raise KeyUnusable(
                f"A secret was sealed with key {key_id}, which is not known here.",
                hint="Add that key to the key file or to ROLLCALL_KEYS.",
            )
        try:
            return cipher.decrypt(sealed[5:_HEADER_BYTES], sealed[_HEADER_BYTES:], place.data()).decode()
        except InvalidTag:
            raise Tampered from None

    def derive(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for another use, such as signing cursors; it reveals neither the root nor a key."""
        if self.root is None:
            raise KeyUnusable("The vault has no root yet.", hint="Open it together with its database.")
        if purpose not in self._derived:
            hkdf = HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose.encode())
            self._derived[purpose] = hkdf.derive(self.root)
        return self._derived[purpose]


def key_of(sealed: bytes) -> str:
    """Return the id of the key that a value was sealed with.

    Raises:
        Tampered: the bytes are not a sealed value.
    """
    if len(sealed) < _HEADER_BYTES or sealed[:1] != _VERSION:
        raise Tampered
    return sealed[1:5].hex()


def new_root() -> str:
    """Make the root that other keys are derived from, to be sealed in the database."""
    return os.urandom(_KEY_BYTES).hex()


def new_key() -> str:
    """Make a key in the form that `Vault.parse` reads."""
    return f"{os.urandom(4).hex()}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


def create_key_file(path: Path) -> None:
    """Write a new key to a new file that only its owner can read; never overwrite a file."""
    _write(path, [new_key()])


def change_key_file(path: Path, keys: list[str]) -> None:
    """Replace the keys of a key file atomically: readers find the old keys or the new ones, also after a power loss."""
    part = path.with_name(f".{path.name}.new")
    # A killed process may have left this file.
    part.unlink(missing_ok=True)
    _write(part, keys)
    if os.geteuid() == 0:
        # Keep the owner: root may change the file for the user that the server runs as.
        owner = path.stat()
        os.chown(part, owner.st_uid, owner.st_gid)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _write(path: Path, keys: list[str]) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.fchmod(file, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as out:
        out.write("".join(f"{key}\n" for key in keys))
        out.flush()
        os.fsync(out.fileno())


def split_keys(text: str) -> list[str]:
    """Return the keys of a text, one by one."""
    return [part for part in re.split(r"[,\s]+", text) if part]


def read_key_file(path: Path) -> str:
    """Read a key file.

    Raises:
        KeyUnusable: it is missing, unreadable, not text, or readable by other users of the machine.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable("The key file can be read by other users.", hint="Set its mode to 0600.")
        return path.read_text("ascii")
    except FileNotFoundError:
        raise KeyUnusable(
            "The key file is missing, but the database contains secrets sealed with its keys.",
            hint="Restore the key file, or pass the keys in ROLLCALL_KEYS_FILE. If they are lost for good, run "
            "`rollcall key lost`. The database was not changed.",
        ) from None
    except (OSError, UnicodeDecodeError, binascii.Error):
        raise KeyUnusable("The key file cannot be read.", hint="Check its permissions and content.") from None
