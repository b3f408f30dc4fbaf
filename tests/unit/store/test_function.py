"""The functions that SQL calls: versions and addresses sort as they should, what cannot be read is null."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.store.function import address_key, version_key


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


def test_address_key_sorts_as_the_addresses_do() -> None:
    """By number, IPv4 before IPv6; an IPv4 address inside IPv6 is itself."""
    ordered = ["0.0.0.1", "9.255.255.255", "10.0.0.1", "192.168.1.7", "::1", "fd00::1", "fe80::1"]
    keys = [address_key(address) or "" for address in ordered]
    assert all(one < other for one, other in pairwise(keys))
    assert address_key("::ffff:10.0.0.1") == address_key("10.0.0.1")


@pytest.mark.parametrize("address", [None, 5, "", "10.0.0", "10.0.0.0/8", "host"])
def test_address_key_is_null_when_it_is_no_address(address: object) -> None:
    """What is no address lies in no network."""
    assert address_key(address) is None
