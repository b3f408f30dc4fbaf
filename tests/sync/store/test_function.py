"""The functions that SQL calls: versions and addresses sort as they should, what cannot be read is null."""

from __future__ import annotations

import sys
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.store.statement.function import fold, folded, in_networks, sort_key, version_key
from tests.api import text
from tests.share import share


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=5), st.lists(st.integers(0, 10**12), min_size=1, max_size=5)
)
def test_version_key_sorts_as_the_numbers_do(one: list[int], other: list[int]) -> None:
    """Component by component, and zeros at the end do not count."""
    keys = [version_key(".".join(map(str, numbers))) for numbers in (one, other)]
    trimmed = [_trimmed(numbers) for numbers in (one, other)]
    assert keys[0] is not None and keys[1] is not None
    assert (keys[0] < keys[1]) == (trimmed[0] < trimmed[1])
    assert (keys[0] == keys[1]) == (trimmed[0] == trimmed[1])


def _trimmed(numbers: list[int]) -> list[int]:
    while numbers and not numbers[-1]:
        numbers = numbers[:-1]
    return numbers


@pytest.mark.parametrize("version", [None, 5, "", "new", "x.y"])
def test_version_key_is_null_when_there_is_no_number(version: object) -> None:
    """What is no version is neither lower nor higher than any."""
    assert version_key(version) is None


@pytest.mark.parametrize(
    ("address", "networks", "is_inside"),
    [
        ("10.1.2.3", "192.168.0.0/16 10.0.0.0/8", True),
        ("11.1.2.3", "192.168.0.0/16 10.0.0.0/8", False),
        ("::ffff:10.0.0.1", "10.0.0.0/8", True),
        ("fe80::1", "10.0.0.0/8", False),
        ("fe80::1", "fe80::/10", True),
        ("10.0.0.1", "", False),
    ],
)
def test_address_is_in_a_network_when_it_lies_in_one_of_them(address: str, networks: str, is_inside: bool) -> None:
    """By number, each version for itself; an IPv4 address inside IPv6 is itself."""
    assert in_networks(address, networks) is is_inside


@pytest.mark.parametrize(
    ("span", "touches"),
    [
        ("10.0.0.0/24", True),
        ("10.0.0.0/7", True),
        ("10.0.1.0-10.0.1.9", False),
        ("9.255.255.250-10.0.0.0", True),
        ("10.0.0.5-20", True),
        ("10.0.1.5-20", False),
        ("fd00::/8", False),
        ("fd00::1-ffff", False),
    ],
)
def test_network_touches_another_when_they_share_an_address(span: str, touches: bool) -> None:
    """A network or a range need not lie inside as a whole."""
    assert in_networks(span, "10.0.0.0/24") is touches
    assert in_networks(span, "10.0.0.0/24 ::/0") is (touches or span.startswith("fd"))


@pytest.mark.parametrize("address", [None, 5, "", "10.0.0", "10.0.0.0/99", "10.0.0.1-x", "host", "a-b"])
def test_address_is_in_no_network_and_outside_of_none_when_it_is_no_address(address: object) -> None:
    """What is no address is null, neither inside nor outside."""
    assert in_networks(address, "0.0.0.0/0 ::/0") is None


LETTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
# Those with two cases or accents stand in the first part; the rest are ideographs for the most part.
LETTERS_OF_SCRIPTS = 0x3000


@pytest.mark.slow
def test_forms_of_every_letter_are_what_the_rules_say() -> None:
    """Read letter by letter by the oracle, alone and behind an `i`, before an accent and in either normal form."""
    for letter in LETTERS[:LETTERS_OF_SCRIPTS] + LETTERS[LETTERS_OF_SCRIPTS :: share(101, 7, 1)]:
        for written in (letter, f"i{letter}", f"{letter}\u0301"):
            assert (folded(written), sort_key(written)) == (text.fold(written), text.order(written)), ascii(written)


@given(st.text())
def test_text_is_the_same_in_either_normal_form_and_letter_case(written: str) -> None:
    """What the rules call the same has one folded form and one sort key; what sorts apart is not equal."""
    for other in (normalize("NFC", written), normalize("NFD", written)):
        assert (folded(other), sort_key(other)) == (folded(written), sort_key(written))
    if written.isascii():
        assert folded(written.upper()) == folded(written) == written.lower()


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [
        ("Dvo\u0159\u00e1k", "DVOR\u030cA\u0301K", True),
        ("\u0130stanbul", "istanbul", True),
        ("I\u0307stanbul", "\u0131STANBUL", True),
        ("Stra\u00dfe", "STRASSE", True),
        ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3", True),
        ("Dvo\u0159\u00e1k", "Dvorak", False),
        ("M\u00fcller", "Mueller", False),
    ],
)
def test_texts_are_equal_when_only_case_and_normal_form_differ(one: str, other: str, is_equal: bool) -> None:
    """Accents count for equality, and not for what is sorted first."""
    assert (folded(one) == folded(other)) is is_equal
    assert sort_key("Dvo\u0159\u00e1k") == sort_key("dvorak") == "dvorak"


@pytest.mark.parametrize("value", [None, 5, b"A"])
def test_form_of_what_is_no_text_is_itself_and_its_key_none(value: object) -> None:
    """JSON holds numbers where texts are looked for."""
    assert fold(value) == value
    assert sort_key(value) is None
