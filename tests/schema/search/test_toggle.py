"""Terms put into a search text and taken out again."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import graphql_sync
from hypothesis import given, settings
from hypothesis import strategies as st

from schema import build_schema
from schema.search import parse_search
from schema.search.toggle import OPERATORS, toggle_term
from sync.errors import BadInput, BadSearch
from tests.share import share

SCHEMA = build_schema()._schema
# Text, keyword, value, operator → the text with the term, or without it.
TOGGLED = [
    ("", "os", "windows", "", "os:windows"),
    ("  ", "os", "Windows 11", "=", 'os:="Windows 11"'),
    ("alive:t", "os", "windows", "", "alive:t AND os:windows"),
    ("alive:t  AND (x OR y)", "type", "laptop", "", "alive:t  AND (x OR y) AND type:laptop"),
    ("a OR b", "os", "windows", "", "(a OR b) AND os:windows"),
    ("os:windows", "os", "windows", "", ""),
    ('OS:"windows"  alive:t', "os", "windows", "", "alive:t"),
    ("alive:t AND os:windows", "os", "windows", "", "alive:t"),
    ("alive:t os:windows type:laptop", "os", "windows", "", "alive:t AND type:laptop"),
    ("os:windows AND os:windows x", "os", "windows", "", "x"),
    ("hostname:web", "name", "web", "", ""),
    ("NOT os:windows", "os", "windows", "", "NOT os:windows AND os:windows"),
    ("os:windows OR alive:t", "os", "windows", "", "(os:windows OR alive:t) AND os:windows"),
    ("port:22,80", "port", "22", "", "port:22,80 AND port:22"),
    ("x", "name", "100%_a", "=", r"x AND name:=100\%\_a"),
    ("x", "name", 'says "hi"', "", r'x AND name:"says \"hi\""'),
    ("x", "name", "a,b", "", 'x AND name:"a,b"'),
    ("x", "owner", "none", "", 'x AND owner:"none"'),
    ("x", "name", "=y", "", r"x AND name:\=y"),
    ("x", "id", "asset_12", "", "x AND id:asset_12"),
    ("x", "os", "", "", "x AND os:="),
    ("x os:=", "os", "", "", "x"),
    ("x", "last_seen", "90days", ">", "x AND last_seen:>90days"),
    ("x", "", "or", "", 'x AND "or"'),
    ("🚀 os:windows", "os", "windows", "", "🚀"),
    ("@azuread.dev.trustType:ServerAd", "@azuread.dev.trustType", "ServerAd", "", ""),
]


@pytest.mark.parametrize(("text", "keyword", "value", "operator", "expected"), TOGGLED)
def test_toggle_adds_a_term_or_removes_it_and_keeps_the_rest(
    text: str, keyword: str, value: str, operator: str, expected: str
) -> None:
    """What a facet's click makes of a text, letter for letter."""
    assert toggle_term("Asset", text, keyword, value, operator) == expected


PARTS = st.sampled_from(
    [
        "os:windows",
        "alive:t",
        "web",
        "NOT x",
        "(a OR b)",
        "port:22,80",
        'name:"a b"',
        "NOT (os:linux y)",
        "(os:windows)",
    ]
)
TEXTS = st.lists(PARTS, max_size=5).flatmap(
    lambda parts: st.sampled_from([" ", " AND ", "  and ", " OR "]).map(lambda sign: sign.join(parts))
)
VALUES = st.one_of(
    st.sampled_from(
        ["windows", "a b", "none", "%", "a_b", "=x", "O'Brien", '"', "\\", "“x”", "🚀", "not", "a,b", "10"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8),
)


@pytest.mark.slow
@given(
    text=TEXTS, keyword=st.sampled_from(["os", "name", "owner", ""]), value=VALUES, operator=st.sampled_from(["", "="])
)
@settings(max_examples=share(150, 700, 2_000))
def test_toggle_twice_means_what_the_text_meant(text: str, keyword: str, value: str, operator: str) -> None:
    """A term that is added is removed by the same call, and one that is removed is added again."""
    operator = operator if keyword else ""
    once = toggle_term("Asset", text, keyword, value, operator)
    assert once != text
    twice = toggle_term("Asset", once, keyword, value, operator)
    assert meaning(twice) == meaning(text)


def meaning(text: str) -> set[Any]:
    """Return the conditions that must all hold, in no order: a term that is added again stands at the end."""
    expr: Any = parse_search("Asset", text)
    return set(expr.parts) if type(expr).__name__ == "And" else {expr}


@pytest.mark.parametrize(("text", "keyword"), [("os:", "os"), ("(os:x", "os"), ("x", "nope"), ("risk:1", "os")])
def test_toggle_refuses_a_text_or_a_term_that_cannot_be_searched(text: str, keyword: str) -> None:
    """A text with a mistake is not changed; its mistake is told."""
    with pytest.raises(BadSearch):
        toggle_term("Asset", text, keyword, "windows", "")


@pytest.mark.parametrize("operator", ["!=", "~", "==", "like"])
def test_toggle_refuses_an_operator_of_another_language(operator: str) -> None:
    """Only the operators of this language make terms."""
    assert operator not in OPERATORS
    with pytest.raises(BadInput):
        toggle_term("Asset", "x", "os", "windows", operator)


def test_toggle_is_a_query() -> None:
    """A user interface sends the text and the facet, and gets the text to search for."""
    query = '{ toggleTerm(inventory: USERS, text: "enabled:t", keyword: "department", value: "Human Resources") }'
    answer = graphql_sync(SCHEMA, query)
    assert answer.errors is None
    assert answer.data == {"toggleTerm": 'enabled:t AND department:"Human Resources"'}
