"""The functions that SQL calls: versions and addresses sort as they should, what cannot be read is null."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.store.function import in_networks, version_key


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


@pytest.mark.parametrize("address", [None, 5, "", "10.0.0", "10.0.0.0/8", "host"])
def test_address_is_in_no_network_and_outside_of_none_when_it_is_no_address(address: object) -> None:
    """What is no address is null, neither inside nor outside."""
    assert in_networks(address, "0.0.0.0/0 ::/0") is None
