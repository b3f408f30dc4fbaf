"""A value that a program puts into a search means itself, whatever signs are in it."""

from __future__ import annotations

import pytest

from schema import build_schema
from schema.filter.expr import Compare, Op
from schema.search import read_search
from schema.search.print import literal_term, print_search

VALUES = [
    "plain",
    "two words",
    "100%",
    "a_b",
    'says "hi"',
    "back\\slash",
    "<1",
    ">=2",
    "=x",
    "a,b",
    "(c)",
    "“q”",
    "not",
    "*",
]


@pytest.mark.parametrize("value", VALUES)
def test_literal_means_itself_when_it_is_written_into_a_search(value: str) -> None:
    """Without a sign it is contained, letter by letter; wildcards, quotes, commas and signs are letters of it."""
    build_schema()
    expr = read_search("User", print_search(literal_term("department", "", value))).expr
    assert expr == Compare("department", Op.CONTAINS, value)
