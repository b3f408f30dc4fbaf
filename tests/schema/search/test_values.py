"""Notations of values that mean the same: lists, quotes, MAC addresses, ranges of addresses, never and known."""

from __future__ import annotations

import pytest

from schema import build_schema
from schema.search import TERMS_MAX, parse_search
from schema.search.parser import parse
from schema.search.print import print_search
from sync.errors import BadSearch

build_schema()
SAME = [
    # A list of values is one term for each, any of which may hold.
    ("port:22,80", "port:22 OR port:80"),
    ("port:=22,80", "port:=22 OR port:=80"),
    ("NOT port:22,80", "NOT (port:22 OR port:80)"),
    ("port:22,80 alive:t", "(port:22 OR port:80) AND alive:t"),
    ("type:laptop,desktop,server", "(type:laptop OR type:desktop OR type:server)"),
    ("os:=\"Windows 10\",“Windows 11”,'mac os'", 'os:="Windows 10" OR os:="Windows 11" OR os:="mac os"'),
    ("source:azuread,scan", "source:azuread OR source:scan"),
    ("has:owner,group", "has:owner OR has:group"),
    ("owner.department:Sales,Finance", "owner.department:Sales OR owner.department:Finance"),
    ("ip:10.0.0.0/8,192.168.0.0/16", "ip:10.0.0.0/8 OR ip:192.168.0.0/16"),
    # A comma in quotes, behind a backslash or in a word of its own is a comma.
    ('name:"a,b"', r"name:a\,b"),
    ("a,b", '"a,b"'),
    # Quotes of every kind.
    ("„windows 10“", '"windows 10"'),
    ("os:‟linux”", "os:linux"),
    ("os:”linux”", "os:linux"),
    ("os:»linux«", "os:linux"),
    ("os:\u2018it's\u2019", 'os:"it\'s"'),
    ("os:'O'Brien'", 'os:"O\'Brien"'),
    ('os:“5" disk”', r'os:"5\" disk"'),
    ("first_seen:“<2weeks”", "first_seen:<2weeks"),
    # MAC addresses and parts of them.
    ("mac:00-50-56-AA-BB-CC", 'mac:"00:50:56:aa:bb:cc"'),
    ("mac:0050.56aa.bbcc", 'mac:"00:50:56:aa:bb:cc"'),
    ("mac:005056AABBCC", 'mac:"00:50:56:aa:bb:cc"'),
    ("mac:=0050.56aa.bbcc", 'mac:="00:50:56:aa:bb:cc"'),
    ("mac:00-50-56", 'mac:"00:50:56"'),
    ("mac:005056", 'mac:"00:50:56"'),
    ("mac:56aa.bb", 'mac:"56:aa:bb"'),
    # Ranges of addresses.
    ("ip:10.0.0.0-10.0.0.255", "ip:10.0.0.0/24"),
    ("net:10.0.0.0-10.0.0.255", "net:10.0.0.0/24"),
    ('ip:"10.0.0.0 - 10.0.1.255"', "ip:10.0.0.0/23"),
    ('ip:"fd00::-fd00::ffff"', 'ip:"fd00::/112"'),
    # Never and known.
    ("last_seen:>0", "NOT last_seen:0"),
    ("last_seen:>never", "has:last_seen"),
    ("last_seen:=0", "last_seen:never"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_notations_of_a_value_mean_the_same(one: str, other: str) -> None:
    """Two ways to write a thing find the same rows, whatever these are."""
    assert normal(one) == normal(other)


def normal(text: str) -> str:
    """Write the meaning of a text without letter case, and "known" in one way."""
    written = repr(parse_search("Asset", text)).casefold()
    for known in (
        "not(part=compare(field='last_seen', op=<op.is_null: 'isnull'>, value=true))",
        "compare(field='last_seen', op=<op.is_empty: 'isempty'>, value=false)",
    ):
        written = written.replace(known, "compare(field='last_seen', op=<op.is_null: 'isnull'>, value=false)")
    return written


def test_range_of_addresses_is_many_networks_when_it_has_no_simple_border() -> None:
    """A range that begins and ends anywhere is written as the networks that make it up."""
    assert "10.0.0.5/32" in repr(parse_search("Asset", "ip:10.0.0.5-10.0.0.9"))


@pytest.mark.parametrize("text", ["port:22,", "port:,22", "port:22,,80", 'os:"",linux', "os:a, ,b"])
def test_list_is_refused_when_a_value_is_missing(text: str) -> None:
    """A comma too many is a mistake, not an empty value."""
    with pytest.raises(BadSearch, match="missing beside a comma"):
        parse_search("Asset", text)


def test_each_value_of_a_list_counts_as_a_term() -> None:
    """A list of values is no way round the limit of terms."""
    assert parse("port:" + ",".join(["1"] * TERMS_MAX))
    with pytest.raises(BadSearch, match="more than 200 terms"):
        parse("port:" + ",".join(["1"] * (TERMS_MAX + 1)))


@pytest.mark.parametrize("text", [text for pair in SAME for text in pair])
def test_normal_form_of_a_notation_means_the_same(text: str) -> None:
    """What is printed of lists, quotes and notations parses to the same tree."""
    tree = parse(text)
    assert parse(print_search(tree)) == tree
    assert parse_search("Asset", print_search(tree)) == parse_search("Asset", text)
