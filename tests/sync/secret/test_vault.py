"""The vault: what it sealed opens in its place only, and nothing it says repeats a key."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import pytest

from sync.errors import KeyUnusable, Tampered, VaultError
from sync.secret.vault import (
    SecretPlace,
    Vault,
    change_key_file,
    create_key_file,
    key_of,
    new_key,
    new_root,
    read_key_file,
    split_keys,
)
from tests.canary import canary_secret

SECRET = canary_secret("vault")
PLACE = SecretPlace(1, 2, "client_secret")


@pytest.fixture(scope="module")
def vault() -> Vault:
    """Return a vault with one new key."""
    return Vault.parse(new_key())


@pytest.mark.parametrize("text", [SECRET, "", "pässwörd 🔑", "x" * 1_000, "\0"])
def test_sealed_secret_opens_in_its_place(vault: Vault, text: str) -> None:
    """Any text comes back as it went in."""
    assert vault.open(vault.seal(text, PLACE), PLACE) == text


def test_sealed_secret_differs_each_time(vault: Vault) -> None:
    """Equal secrets cannot be recognised by their sealed bytes, which hold no part of the secret."""
    one, other = vault.seal(SECRET, PLACE), vault.seal(SECRET, PLACE)
    assert one != other
    assert SECRET.encode() not in one
    assert len(one) == len(SECRET.encode()) + 33


def test_sealed_secret_is_refused_when_any_byte_is_flipped(vault: Vault) -> None:
    """Each single byte counts: version, key id, nonce, text and tag."""
    sealed = vault.seal(SECRET, PLACE)
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 0x01
        with pytest.raises((Tampered, KeyUnusable)):
            vault.open(bytes(damaged), PLACE)


def test_sealed_secret_is_refused_when_it_is_cut_or_longer(vault: Vault) -> None:
    """Every shorter length and an added byte are refused."""
    sealed = vault.seal(SECRET, PLACE)
    for length in range(len(sealed)):
        with pytest.raises(Tampered):
            vault.open(sealed[:length], PLACE)
    with pytest.raises(Tampered):
        vault.open(sealed + b"\0", PLACE)


@pytest.mark.parametrize(
    "place",
    [
        SecretPlace(9, 2, "client_secret"),
        SecretPlace(1, 9, "client_secret"),
        SecretPlace(1, 2, "password"),
    ],
    ids=["organization", "row", "field"],
)
def test_sealed_secret_is_refused_when_it_was_moved(vault: Vault, place: SecretPlace) -> None:
    """Bytes copied to another organization, row or field do not open there."""
    with pytest.raises(Tampered):
        vault.open(vault.seal(SECRET, PLACE), place)


def test_place_is_told_apart_when_its_numbers_are_written_in_a_row(vault: Vault) -> None:
    """Organization 1 with credential 22 is not organization 12 with credential 2."""
    with pytest.raises(Tampered):
        vault.open(vault.seal(SECRET, SecretPlace(1, 22, "password")), SecretPlace(12, 2, "password"))


def test_sealed_secret_names_its_key_when_the_key_is_unknown(vault: Vault) -> None:
    """With another ring the message names the key id, which is no secret, and says what to do."""
    sealed = Vault.parse(f"0a1b2c3d:{base64.b64encode(os.urandom(32)).decode()}").seal(SECRET, PLACE)
    with pytest.raises(KeyUnusable, match="0a1b2c3d") as caught:
        vault.open(sealed, PLACE)
    assert caught.value.hint


def test_secret_of_an_old_key_opens_when_a_new_key_seals() -> None:
    """The first key seals; every key of the ring opens."""
    old, new = new_key(), new_key()
    sealed_before = Vault.parse(old).seal(SECRET, PLACE)
    ring = Vault.parse(f"{new},\n {old}")
    assert ring.open(sealed_before, PLACE) == SECRET
    assert ring.seal(SECRET, PLACE)[1:5].hex() == new[:8]


SECRET_BYTES = base64.b64encode(b"Q" * 32).decode()


@pytest.mark.parametrize(
    "text",
    [
        SECRET_BYTES,
        f"0a1b2c3d {SECRET_BYTES}",
        f"0a1b2c3:{SECRET_BYTES}",
        f"0A1B2C3D:{SECRET_BYTES}",
        f"0a1b2c3d:{SECRET_BYTES[:-4]}",
        f"0a1b2c3d:{SECRET_BYTES}Q",
        f"0a1b2c3d:{SECRET_BYTES[:-1]}",
        f"{new_key()},nonsense-{SECRET_BYTES}",
    ],
)
def test_malformed_key_is_refused_without_being_repeated(text: str) -> None:
    """A typing error in the key file must not put the key into a log."""
    with pytest.raises(KeyUnusable) as caught:
        Vault.parse(text)
    said = f"{caught.value} {caught.value.hint} {caught.value.facts} {caught.value!r}"
    assert not any(part in said for part in re.split(r"[:,\s]+", text) if len(part) > 6)


@pytest.mark.parametrize("text", ["", " \n", ",,"])
def test_vault_without_a_key_is_refused(text: str) -> None:
    """No key is an error with advice, never a vault that seals with nothing."""
    with pytest.raises(KeyUnusable, match="no key") as caught:
        Vault.parse(text)
    assert caught.value.hint


def rooted(keys: str, root: str) -> Vault:
    """Return a vault that was opened together with its database."""
    vault = Vault.parse(keys)
    vault.root = root.encode()
    return vault


def test_derived_key_differs_by_purpose_and_root() -> None:
    """Cursors of one server cannot be forged with those of another, nor from the root."""
    root = new_root()
    vault, other = rooted(new_key(), root), rooted(new_key(), new_root())
    found = {vault.derive("cursor"), vault.derive("other"), other.derive("cursor"), bytes.fromhex(root)}
    assert len(found) == 4
    assert {len(key) for key in found} == {32}


def test_derived_key_stays_when_the_sealing_key_changes() -> None:
    """A rotation ends nobody's cursor; and nothing is derived before there is a root."""
    root = new_root()
    vault = rooted(new_key(), root)
    before = vault.derive("cursor")
    vault.adopt(Vault.parse(new_key()))
    assert vault.derive("cursor") == before == rooted(new_key(), root).derive("cursor")
    with pytest.raises(KeyUnusable):
        Vault.parse(new_key()).derive("cursor")


def test_adopted_keys_hold_for_everybody_at_once() -> None:
    """Whoever holds the vault seals with the new key and still opens what the old one sealed."""
    old, new = new_key(), new_key()
    vault = Vault.parse(old)
    sealed = vault.seal(SECRET, PLACE)
    vault.adopt(Vault.parse(f"{new} {old}"))
    assert vault.key_ids == (new[:8], old[:8])
    assert (vault.open(sealed, PLACE), key_of(vault.seal(SECRET, PLACE))) == (SECRET, new[:8])


def test_key_file_holds_old_or_new_keys_when_it_is_changed(tmp_path: Path) -> None:
    """It is replaced at once, keeps its mode, and what a killed process left is no obstacle."""
    path = tmp_path / "given-key"
    create_key_file(path)
    (tmp_path / ".given-key.new").write_text("torn")
    before, key = path.read_text(), new_key()
    held = path.open()
    change_key_file(path, [key, *split_keys(before)])
    assert (held.read(), path.read_text()) == (before, f"{key}\n{before}")
    held.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["given-key"]


def test_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """A new key file has mode 0600 and holds a usable key."""
    path = tmp_path / "given-key"
    create_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    Vault.parse(read_key_file(path))


def test_key_file_is_never_overwritten(tmp_path: Path) -> None:
    """Losing the key loses the secrets: an existing file stays as it is."""
    path = tmp_path / "given-key"
    create_key_file(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        create_key_file(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_key_file_is_refused_when_others_can_reach_it(tmp_path: Path, mode: int) -> None:
    """A key that other users can read is not used; the advice is the right mode."""
    path = tmp_path / "given-key"
    create_key_file(path)
    path.chmod(mode)
    with pytest.raises(KeyUnusable) as caught:
        read_key_file(path)
    assert "0600" in (caught.value.hint or "")


def test_key_file_is_refused_when_missing_or_not_text(tmp_path: Path) -> None:
    """Missing, binary and a directory: one typed error each, with advice and without content."""
    (tmp_path / "given-binary").write_bytes(b"\xff\xfe" + SECRET.encode())
    (tmp_path / "given-binary").chmod(0o600)
    (tmp_path / "given-directory").mkdir(mode=0o700)
    for name in ("given-missing", "given-binary", "given-directory"):
        with pytest.raises(VaultError) as caught:
            read_key_file(tmp_path / name)
        assert caught.value.hint
        assert SECRET not in f"{caught.value!r}{caught.value.hint}"
