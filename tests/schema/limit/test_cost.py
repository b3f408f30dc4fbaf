"""What a document costs: each list that is read, once, by the rule of docs/graphql.md."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    OperationDefinitionNode,
    get_introspection_query,
    is_leaf_type,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.type import get_named_type

from schema import build_schema
from schema.limit.cost import SIZES, Cost, costs
from schema.limit.expected import is_list, said
from schema.limit.limits import Limits

SCHEMA = build_schema()._schema
PAGE = 10


def cost_of(document: str, variables: dict[str, Any] | None = None) -> tuple[int, int]:
    """Return what the one operation of a valid document costs: rows, and parts of the schema."""
    tree = parse(document)
    assert validate(SCHEMA, tree) == []
    (operation,) = (node for node in tree.definitions if isinstance(node, OperationDefinitionNode))
    values = get_variable_values(SCHEMA, operation.variable_definitions or (), variables or {})
    assert not isinstance(values, list)
    (cost,) = costs(SCHEMA, tree).values()
    assert isinstance(cost, Cost)
    return cost.rows.of(values.coerced), cost.described.of(values.coerced)


def rows_of(document: str, variables: dict[str, Any] | None = None) -> int:
    """Return the rows that a document costs."""
    return cost_of(document, variables)[0]


def lists() -> list[tuple[str, str, GraphQLField]]:
    """List the fields of the schema that are lists of objects and neither take a size nor are the rows of a page."""
    found = []
    pages = {
        get_named_type(field.type).name
        for type_ in SCHEMA.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        for field in type_.fields.values()
        if any(name in field.args for name in SIZES)
    }
    for name, type_ in SCHEMA.type_map.items():
        if name.startswith("__") or name in pages or not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            continue
        for field_name, field in type_.fields.items():
            is_sized = any(argument in field.args for argument in SIZES)
            if is_list(field.type) and not is_sized and not is_leaf_type(get_named_type(field.type)):
                found.append((name, field_name, field))
    return found


@pytest.mark.parametrize(("type_", "name", "field"), lists(), ids=lambda part: part if isinstance(part, str) else "")
def test_list_says_how_long_it_is_expected_to_be_when_it_takes_no_size(
    type_: str, name: str, field: GraphQLField
) -> None:
    """Every list of objects of the schema: a new one has to say it where it is declared."""
    assert (said(field) or 0) > 0


@pytest.mark.parametrize(
    ("inner", "each"),
    [
        ("azureAd { id }", 2),
        ("scan { id services { port } }", 2 * (1 + 5)),
        ("matches { key }", 4),
        ("attributes { name }", 4),
        ("names tags", 0),
        ("azureAd { registeredOwners(first: 3) { nodes { managerChain { id } } } }", 2 * (1 + 3 * (1 + 10))),
    ],
)
def test_list_costs_its_expected_size_when_it_takes_none(inner: str, each: int) -> None:
    """For each row of the list around it, and what lies below for each of its own."""
    assert rows_of(f"{{ assets(first: {PAGE}) {{ nodes {{ {inner} }} }} }}") == PAGE * (1 + each)


def test_list_costs_once_when_several_fragments_select_it() -> None:
    """Three fragments and the operation itself ask for one list, and for one list inside it."""
    fragment = "on Query {{ users(first: 10) {{ nodes {{ {0} groups(first: 5) {{ nodes {{ id }} }} }} }} }}"
    parts = [f"fragment F{n} " + fragment.format(name) for n, name in enumerate(("id", "displayName", "email"))]
    once = rows_of(fragment.format("id").removeprefix("on Query "))
    assert once == 10 * (1 + 5)
    assert rows_of("{ ...F0 ...F1 ...F2 ... " + fragment.format("city") + " } " + " ".join(parts)) == once


@pytest.mark.parametrize(
    ("flag", "given", "is_read"),
    [
        ("@include(if: false)", {}, False),
        ("@skip(if: true)", {}, False),
        ("@include(if: $x)", {"x": False}, False),
        ("@include(if: $x)", {"x": True}, True),
        ("@include(if: $x)", {}, True),
        ("@skip(if: $x)", {}, False),
        ("@skip(if: $x)", {"x": False}, True),
        ("@include(if: $x) @skip(if: $y)", {"x": True, "y": True}, False),
        ("@include(if: $x) @skip(if: $y)", {"x": True, "y": False}, True),
    ],
)
@pytest.mark.parametrize("place", ["field", "inline fragment", "spread", "inside"])
def test_field_costs_nothing_when_it_is_left_out(flag: str, given: dict[str, bool], is_read: bool, place: str) -> None:
    """@skip and @include with the variables of the request and their defaults, wherever they stand."""
    dear = "users(first: 7) { nodes { groups(first: 5) { nodes { id } } } }"
    document = {
        "field": dear.replace("(first: 7)", f"(first: 7) {flag}"),
        "inline fragment": f"... {flag} {{ {dear} }}",
        "spread": f"...F {flag}",
        "inside": f"users(first: 7) {{ nodes {{ id ... {flag} {{ groups(first: 5) {{ nodes {{ id }} }} }} }} }}",
    }[place]
    fragment = f" fragment F on Query {{ {dear} }}" if place == "spread" else ""
    used = "b: node(id: $id) @include(if: $x) { id } c: node(id: $id) @skip(if: $y) { id }"
    text = f'query($x: Boolean = true, $y: Boolean = false, $id: ID! = "user_1") {{ {document} {used} }}{fragment}'
    otherwise = 7 if place == "inside" else 0
    assert rows_of(text, given) == (7 * (1 + 5) if is_read else otherwise)


def test_list_costs_what_is_read_of_it_when_parts_are_under_different_flags() -> None:
    """One list, asked for under two flags with other things inside: only what the true flag asks for counts."""
    one = "users(first: 2) {{ nodes {{ {0}(first: 3) {{ nodes {{ id }} }} }} }}"
    text = (
        "query($x: Boolean!, $y: Boolean!) { ... @include(if: $x) { " + one.format("groups") + " } "
        "... @include(if: $y) { " + one.format("ownedGroups") + " } }"
    )
    found = {(x, y): rows_of(text, {"x": x, "y": y}) for x in (True, False) for y in (True, False)}
    assert found == {(True, True): 2 + 6 + 6, (True, False): 2 + 6, (False, True): 2 + 6, (False, False): 0}


def test_row_costs_the_dearest_of_its_types_when_it_may_be_of_several() -> None:
    """A member is a user, a group or an asset, never all of them."""
    member = "... on User { groups(first: 3) { nodes { id } } } ... on Asset { groups(first: 5) { nodes { id } } }"
    assert rows_of(f"{{ groups(first: 2) {{ nodes {{ members(first: 4) {{ nodes {{ {member} }} }} }} }} }}") == (
        2 * (1 + 4 * (1 + 5))
    )


def test_introspection_costs_what_the_schema_has_multiplied() -> None:
    """The same list under eighty names costs eighty times; a single type costs little."""
    fragment = " fragment F on __Type { fields { args { type { name } } } }"
    lists = " ".join(f"a{n}: types {{ ...F }}" for n in range(80))
    rows, once = cost_of("{ __schema { types { ...F } } }" + fragment)
    assert rows == 0
    assert cost_of(f"{{ __schema {{ {lists} }} }}{fragment}")[1] > 79 * (once - 1)
    assert cost_of('{ __type(name: "User") { fields { name type { name } } } }')[1] < 20


# What Relay's compiler and Apollo's tools send is graphql-js's own query, with other options.
@pytest.mark.parametrize("options", range(8))
def test_introspection_of_the_known_clients_keeps_the_limit(options: int) -> None:
    """GraphiQL, Relay and Apollo learn the schema, with any set of the query's options."""
    text = get_introspection_query(
        descriptions=bool(options & 1), schema_description=bool(options & 2), input_value_deprecation=bool(options & 4)
    )
    assert 0 < cost_of(text)[1] <= Limits().introspection_cost
