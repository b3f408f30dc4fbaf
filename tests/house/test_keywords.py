"""What the documents say of the search language is so: the keyword reference and every example."""

from __future__ import annotations

import re

import pytest
from graphql import graphql_sync

from schema import build_schema
from schema.access import TABLE, Role
from schema.search import parse_search
from schema.search.vocabulary.document import INVENTORIES, keyword_document
from schema.search.vocabulary.uncollected import not_here
from tests.house.source import read

EXAMPLES = [
    (block["inventory"], line)
    for block in re.finditer(r"^```search (?P<inventory>\w+)\n(?P<body>.*?)^```", read("docs/search.md"), re.M | re.S)
    for line in block["body"].splitlines()
]


def test_keyword_reference_is_the_one_that_is_generated() -> None:
    """docs/keywords.md is what `rollcall keywords` prints; write it anew with that command."""
    build_schema()
    assert read("docs/keywords.md") == keyword_document()


def test_data_that_is_not_here_is_named_in_the_page_as_it_is_refused() -> None:
    """The row of docs/search.md is the one that `not_here` writes: put it there anew."""
    assert not_here() in read("docs/search.md").splitlines()


@pytest.mark.parametrize(("inventory", "text"), EXAMPLES)
def test_search_in_the_documents_is_understood_when_sent(inventory: str, text: str) -> None:
    """A search that a reader copies is no mistake."""
    build_schema()
    nouns = {f"{noun.lower()}s": noun for noun in INVENTORIES}
    parse_search(nouns[inventory], text)


def test_searchable_inventories_are_the_root_lists() -> None:
    """The reference and the enum name exactly what can be listed with a search."""
    schema = build_schema()._schema
    query = schema.query_type
    assert query is not None
    fields = [field for field in query.fields.values() if "search" in field.args and "orderBy" in field.args]
    listed = {str(field.type).removesuffix("Connection!") for field in fields}
    assert listed == set(INVENTORIES)
    for name in listed:
        assert TABLE[f"Query.{name[0].lower()}{name[1:]}s"] in Role


def test_search_keywords_answers_with_every_keyword_of_the_reference() -> None:
    """A user interface gets the names that the reference has."""
    text = "{ searchKeywords(inventory: USERS) { name aliases kind description forms values } }"
    answer = graphql_sync(build_schema()._schema, text)
    assert answer.errors is None and answer.data is not None
    section = read("docs/keywords.md").partition("## User\n")[2].partition("\n## ")[0]
    assert [row["name"] for row in answer.data["searchKeywords"]] == re.findall(r"^\| `(\w+)`", section, re.M)
