"""The registry and the schema agree: each field declared once is everywhere it should be, described and backed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_non_null_type,
)
from sqlalchemy import LargeBinary

from schema.field.registry import NOUNS, FieldKind
from schema.field.rows import row_columns
from tests.api.lists import FILTERABLE, LISTS, ORDERABLE, SCHEMA

OURS = {name: type_ for name, type_ in SCHEMA.type_map.items() if not name.startswith("__")}
BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}
OUTPUTS = {name: type_ for name, type_ in OURS.items() if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType))}
IN_SCHEMA = [name for name in NOUNS if name in OURS]
# Non-null fields that are worked out, from columns or counts that are never null.
COMPUTED = {"secretState", "status", "userCount", "requests", "retention"}


def undescribed() -> Iterator[str]:
    """Yield everything in the schema that has no description."""
    for name, type_ in OURS.items():
        if name in BUILT_IN:
            continue
        if not type_.description:
            yield name
        if isinstance(type_, GraphQLEnumType):
            yield from (f"{name}.{value}" for value, one in type_.values.items() if not one.description)
        if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType)):
            for field_name, field in type_.fields.items():
                if not field.description:
                    yield f"{name}.{field_name}"
                for argument, declared in getattr(field, "args", {}).items():
                    if not declared.description:
                        yield f"{name}.{field_name}({argument}:)"


def test_everything_in_the_schema_is_described() -> None:
    """Every type, field, argument, input field and enum value says what it is."""
    assert sorted(undescribed()) == []


@pytest.mark.parametrize("noun", IN_SCHEMA)
def test_noun_shows_each_of_its_fields_with_its_description(noun: str) -> None:
    """What the registry knows is a field of the type, described alike; a Graph property is named."""
    type_ = OURS[noun]
    assert isinstance(type_, GraphQLObjectType)
    for field in NOUNS[noun].fields.values():
        shown = type_.fields[field.graphql_name]
        if field.name != "id":
            assert shown.description == field.description
        if prop := getattr(field.column, "info", {}).get("graph"):
            assert f"Graph property: `{prop}`" in str(shown.description)


@pytest.mark.parametrize("noun", LISTS)
def test_field_can_be_filtered_by_when_it_is_filterable(noun: str) -> None:
    """Each filterable field is in the `where` input with its description and at least one operator."""
    where = OURS[f"{noun}Where"]
    assert isinstance(where, GraphQLInputObjectType)
    for field in (NOUNS[noun].fields[name] for of, name in FILTERABLE if of == noun):
        declared = where.fields[field.graphql_name]
        assert declared.description == field.description
        operators: Any = get_named_type(declared.type)
        assert operators.fields


@pytest.mark.parametrize("noun", LISTS)
def test_list_can_be_ordered_by_exactly_its_orderable_fields(noun: str) -> None:
    """The order enum holds each orderable field with its description, and nothing else."""
    order = OURS[f"{noun}OrderField"]
    assert isinstance(order, GraphQLEnumType)
    expected = {name.upper(): NOUNS[noun].fields[name].description for of, name in ORDERABLE if of == noun}
    assert {name: value.description for name, value in order.values.items()} == expected


@pytest.mark.parametrize("noun", LISTS)
def test_where_holds_nothing_but_conditions_relations_and_connectives(noun: str) -> None:
    """A field kept out of filters, such as free JSON, is not in the `where` input."""
    where, entry = OURS[f"{noun}Where"], NOUNS[noun]
    assert isinstance(where, GraphQLInputObjectType)
    conditions = {field.graphql_name for field in entry.filterable().values()}
    relations = {relation.graphql_name for relation in entry.relations.values()}
    relations |= {ends.graphql_name for ends in entry.ends.values()}
    attributes = {"attributes"} if noun in ("Asset", "User", "Group") else set()
    assert set(where.fields) == conditions | relations | attributes | {"and", "or", "not"}


@pytest.mark.parametrize("noun", IN_SCHEMA)
def test_field_is_non_null_only_when_the_store_guarantees_it(noun: str) -> None:
    """A non-null field is a NOT NULL column, a list, a required relation over a NOT NULL key, or worked out."""
    type_, entry = OURS[noun], NOUNS[noun]
    assert isinstance(type_, GraphQLObjectType)
    columns = {field.graphql_name: field.column for field in entry.fields.values()}
    for name, field in type_.fields.items():
        if not is_non_null_type(field.type) or name in COMPUTED:
            continue
        named = get_named_type(field.type)
        if name in columns:
            assert columns[name].nullable is False, name
        elif named.name in NOUNS and not is_list_type(get_nullable_type(field.type)):
            assert entry.table.c[f"{named.name.lower()}_id"].nullable is False, name
        else:
            assert is_list_type(get_nullable_type(field.type)) or named.name.endswith("Connection"), name


@pytest.mark.parametrize("noun", IN_SCHEMA)
def test_column_that_is_never_null_is_a_field_that_is_never_null(noun: str) -> None:
    """Callers need not check for null where the store rules it out."""
    type_ = OURS[noun]
    assert isinstance(type_, GraphQLObjectType)
    for field in NOUNS[noun].fields.values():
        assert is_non_null_type(type_.fields[field.graphql_name].type) is not getattr(field.column, "nullable", True), (
            field.name
        )


SECRET = re.compile(r"secret|password|sealed|digest|private|credentialvalue|accesstoken|apikey|text$", re.IGNORECASE)
# What may look like a secret: dates and rules of one, what sets one, and the new token's text, which is shown once.
NO_SECRET = {
    "Credential.secretSetAt",
    "Credential.secretExpiresAt",
    "Webhook.secretSetAt",
    "Credential.secretState",
    "Mutation.rotateSecret",
    "User.lastPasswordChangeDateTime",
    "User.passwordPolicies",
    "User.passwordNeverExpires",
    "CreateTokenPayload.text",
    "SearchCompletionItem.text",
}


def test_no_output_could_hold_a_secret() -> None:
    """No field of any output type is named like a secret, but for those that are known not to be one."""
    fields = {f"{name}.{field}" for name, type_ in OUTPUTS.items() for field in type_.fields}
    assert {field for field in fields if SECRET.search(field.partition(".")[2])} == NO_SECRET


@pytest.mark.parametrize("noun", NOUNS)
def test_read_never_fetches_a_sealed_column(noun: str) -> None:
    """Sealed secrets, digests and hashes are binary, and no read of a noun selects a binary column."""
    assert not [column for column in row_columns(NOUNS[noun]) if isinstance(column.type, LargeBinary)]


@pytest.mark.parametrize("noun", LISTS)
def test_list_offers_the_same_arguments_as_every_other(noun: str) -> None:
    """Root lists and nested ones take first, last, after, before, where and orderBy of the same noun."""
    expected = {"first", "last", "after", "before", "where", "orderBy"}
    for name, type_ in OUTPUTS.items():
        for field_name, field in type_.fields.items():
            if get_named_type(field.type).name == f"{noun}Connection":
                assert expected <= set(field.args), f"{name}.{field_name}"
                assert get_named_type(field.args["where"].type).name == f"{noun}Where"


def test_enum_filters_offer_the_values_of_their_field() -> None:
    """An enum field is filtered by its own enum."""
    for noun in LISTS:
        for field in NOUNS[noun].fields.values():
            if field.kind is FieldKind.ENUM:
                where: Any = OURS[f"{noun}Where"]
                output: Any = OURS[noun]
                operators: Any = get_named_type(where.fields[field.graphql_name].type)
                shown = get_named_type(output.fields[field.graphql_name].type)
                assert get_named_type(operators.fields["eq"].type) is shown
