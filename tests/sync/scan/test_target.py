"""Targets: what a person may write, what it means, and where it ends; checked against sets of addresses."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import BadInput
from sync.scan.options import ScanOptions, check_options, check_site_scope
from sync.scan.target import HOSTS_MAX, Span, Spans, read_ports, read_targets


@pytest.mark.parametrize(
    ("text", "first", "last", "size"),
    [
        ("10.0.0.7", "10.0.0.7", "10.0.0.7", 1),
        ("10.0.0.0/30", "10.0.0.0", "10.0.0.3", 4),
        ("10.0.0.2/30", "10.0.0.0", "10.0.0.3", 4),
        ("10.0.0.250-10.0.1.1", "10.0.0.250", "10.0.1.1", 8),
        ("10.0.0.250-255", "10.0.0.250", "10.0.0.255", 6),
        ("fd00::/126", "fd00::", "fd00::3", 4),
        ("fd00::1-fd00::3", "fd00::1", "fd00::3", 3),
    ],
)
def test_text_is_read_as_its_addresses(text: str, first: str, last: str, size: int) -> None:
    """Each way to write a target names the addresses a person means."""
    addresses = list(read_targets([text], "targets").spans.addresses())
    assert (addresses[0], addresses[-1], len(addresses)) == (first, last, size)


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0", "10.0.0.256", "10.0.0.9-3", "10.0.0.1-fd00::1", "10.0.0.0/33", "fe80::1%eth0", "a b", "-iL", "--x",
     "http://a/", "a;b", "$(id)", "10.0.0.1\n10.0.0.2", "1.2.3.4-256", "x" * 300, "010.0.0.1"],
)  # fmt: skip
def test_text_is_refused_when_it_is_no_target(text: str) -> None:
    """What is none of the forms is refused, above all what a program could take for an option or a command."""
    with pytest.raises(BadInput):
        read_targets([text], "targets")


def test_name_is_kept_for_the_run_to_look_up() -> None:
    """Names are read in one case, each once."""
    assert read_targets(["Web-1.corp.example.", "web-1.CORP.example"], "targets").names == ("web-1.corp.example",)


intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=6)


@given(intervals, intervals)
def test_addresses_are_those_of_sets(ones: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    """Union, difference, size, order and membership agree with plain sets."""

    def both(pairs: list[tuple[int, int]]) -> tuple[Spans, set[int]]:
        spans = Spans.of(Span(4, first, first + more) for first, more in pairs)
        return spans, {number for first, more in pairs for number in range(first, first + more + 1)}

    (mine, truth), (theirs, holes) = both(ones), both(others)
    left = mine.without(theirs)
    expected = [f"0.0.0.{number}" for number in sorted(truth - holes)]
    assert list(left.addresses()) == expected and left.size == len(expected)
    assert [f"0.0.0.{number}" for number in range(75) if left.covers(f"0.0.0.{number}")] == expected
    assert not left.covers("::1")


@pytest.mark.parametrize(
    ("text", "ports"), [("22", (22,)), ("80, 22,80", (22, 80)), ("8000-8002,1", (1, 8000, 8001, 8002))]
)
def test_ports_are_read_in_order_and_once(text: str, ports: tuple[int, ...]) -> None:
    """Lists and ranges become numbers."""
    assert read_ports(text) == ports


@pytest.mark.parametrize("text", ["", "0", "65536", "5-3", "a", "1,,2", "-p", "1-2-3", "٣", "1," * 2_000])
def test_ports_are_refused_when_they_are_none(text: str) -> None:
    """What is no port is named."""
    with pytest.raises(BadInput) as caught:
        read_ports(text)
    assert caught.value.facts["path"] == "ports"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "10.0.0.0/15", "fd00::/64"])
def test_size_is_refused_with_the_limit_and_what_was_asked(network: str) -> None:
    """However big a network is, the refusal costs nothing and says both numbers."""
    with pytest.raises(BadInput) as caught:
        check_options(ScanOptions((network,)), None)
    assert f"{HOSTS_MAX:,}" in caught.value.message
    assert f"{ip_network(network).num_addresses:,}" in caught.value.message


def test_biggest_scan_is_allowed_and_one_address_more_is_not() -> None:
    """The limit itself is inside; excludes count before it."""
    check_options(ScanOptions(("10.0.0.0/16",)), None)
    with pytest.raises(BadInput):
        check_options(ScanOptions(("10.0.0.0/16", "10.1.0.0")), None)
    check_options(ScanOptions(("10.0.0.0/16", "10.1.0.0"), ("10.0.0.0",)), None)


def test_scope_holds_networks_only() -> None:
    """A scope of names would move with whoever owns them."""
    assert check_site_scope([" 10.0.0.0/8 "]) == ["10.0.0.0/8"]
    with pytest.raises(BadInput):
        check_site_scope(["intranet.example"])
