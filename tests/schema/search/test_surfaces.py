"""What the API tells a user interface of searches, and that every surface made from the registry has every field."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, graphql_sync

from schema import build_schema
from schema.field.registry import NOUNS
from schema.search.vocabulary.table import keywords

SCHEMA = build_schema()._schema
FILTERED = [noun for noun in NOUNS if f"{noun}Where" in SCHEMA.type_map]
LISTED = [noun for noun in FILTERED if f"{noun}Order" in SCHEMA.type_map]


def parsed(query: str, inventory: str = "ASSETS") -> Any:
    """Return what parseSearch answers."""
    text = """query($inventory: Inventory!, $query: String!) {
      parseSearch(inventory: $inventory, query: $query) {
        normalized tree errors { message hint offset length line column expected suggestions }
      }
    }"""
    answer = graphql_sync(SCHEMA, text, variable_values={"inventory": inventory, "query": query})
    assert answer.errors is None and answer.data is not None
    return answer.data["parseSearch"]


def test_parse_search_shows_the_normal_form_and_the_tree_of_a_text() -> None:
    """A text that can be searched has a normal form, a tree with places, and no errors."""
    found = parsed('os:"linux" not (alive:t or "web 1")')
    assert found["normalized"] == 'os:linux AND NOT (alive:t OR "web 1")'
    term = {"operator": None}
    assert found["tree"] == {
        "and": [
            term | {"keyword": "os", "value": "linux", "offset": 0, "length": 10},
            {
                "not": {
                    "or": [
                        term | {"keyword": "alive", "value": "t", "offset": 16, "length": 7},
                        term | {"keyword": None, "value": "web 1", "offset": 27, "length": 7},
                    ]
                }
            },
        ]
    }
    assert found["errors"] == []


def test_parse_search_tells_every_mistake_of_a_text() -> None:
    """A text with mistakes has no normal form, but each mistake with its place and what helps."""
    found = parsed("os_vesrion:<1\nalive:maybe")
    assert found["normalized"] is None
    assert [(e["line"], e["column"], e["offset"], e["length"]) for e in found["errors"]] == [
        (1, 1, 0, 13),
        (2, 1, 14, 11),
    ]
    assert found["errors"][0]["suggestions"][0] == "os_version"
    assert "true" in found["errors"][1]["expected"]


@pytest.mark.parametrize("query", ["", " \n"])
def test_parse_search_of_an_empty_text_is_everything(query: str) -> None:
    """Nothing typed yet is no mistake."""
    assert parsed(query) == {"normalized": "", "tree": None, "errors": []}


@pytest.mark.parametrize("noun", FILTERED)
def test_every_field_of_the_registry_is_on_every_generated_surface(noun: str) -> None:
    """One declaration is enough: filters, orders and keywords have the field, relations are crossed."""
    entry = NOUNS[noun]
    where = SCHEMA.type_map[f"{noun}Where"]
    assert isinstance(where, GraphQLInputObjectType)
    for field in entry.filterable().values():
        assert field.graphql_name in where.fields
        assert field.keyword.replace("_", "").casefold() in keywords(noun)
    if noun in LISTED:
        order = SCHEMA.type_map[f"{noun}OrderField"]
        assert isinstance(order, GraphQLEnumType)
        assert {field.name.upper() for field in entry.fields.values() if field.is_orderable} == set(order.values)
    assert {relation.graphql_name for relation in entry.relations.values()} <= set(where.fields)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_relation_of_the_schema_can_be_filtered_across(noun: str) -> None:
    """A field that leads to another noun is a relation of the registry, so that no filter has to stop at it."""
    type_ = SCHEMA.type_map[noun]
    assert isinstance(type_, GraphQLObjectType)
    leading = {
        name
        for name, field in type_.fields.items()
        if (target := str(field.type).strip("[]!").removesuffix("Connection")) in NOUNS and target != "Member"
    }
    # The line of managers is the manager relation, followed to its end; who else may use a credential is no filter.
    assert leading - {"managerChain", "sharedWith"} <= {
        relation.graphql_name for relation in NOUNS[noun].relations.values()
    }
