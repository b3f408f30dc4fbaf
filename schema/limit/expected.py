"""The expected length of lists without a size argument: declared with each list, or counted for introspection.

Lists of texts and numbers do not count: they are part of their row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLWrappingType,
    get_named_type,
    introspection_types,
    is_abstract_type,
    is_list_type,
)

from schema.field.resolution import FORM

EXPECTED = "expected"
# The length of a list without a declared one; a test checks that the product has no such list.
UNSAID = 10
_DEFINITION = "strawberry-definition"
_SCHEMA, _TYPE = "__schema", "__type"


def about(rows: int) -> dict[str, Any]:
    """Return the metadata that declares how many rows a list usually has at most."""
    return {EXPECTED: rows}


def said(field: GraphQLField) -> int | None:
    """Return the declared length of a list, or None."""
    declared = field.extensions.get(_DEFINITION)
    if declared is None:
        return None
    found = declared.metadata.get(EXPECTED)
    if found is None:
        found = getattr(declared.metadata.get(FORM), EXPECTED, None)
    return None if found is None else int(found)


def expected(field: GraphQLField) -> int:
    """Return the expected length of a list without a size argument."""
    found = said(field)
    return UNSAID if found is None else found


def is_list(type_: Any) -> bool:
    """Return whether a type is a list, nullable or not."""
    while isinstance(type_, GraphQLWrappingType):
        if is_list_type(type_):
            return True
        type_ = type_.of_type
    return False


@dataclass(frozen=True)
class Described:
    """The lengths of introspection's lists: (type, field) → length; other fields have 1.

    The list of all types has its real length. A list of each type, such as its fields, has the average length, rounded
    up, so that the whole schema costs about its real size and a single type costs little.
    """

    lengths: Mapping[tuple[str, str], int]
    types: Mapping[str, GraphQLObjectType]
    roots: Mapping[str, GraphQLObjectType]

    def type_of(self, parent: str, field: str) -> Any:
        """Return the type of a field of introspection."""
        if field in self.roots:
            return self.roots[field]
        found = self.types[parent].fields.get(field) if parent in self.types else None
        return get_named_type(found.type) if found is not None else None

    def length(self, parent: str, field: str) -> int:
        """Return the number of objects of a field."""
        return self.lengths.get((parent, field), 1)


@lru_cache(maxsize=8)
def described(schema: GraphQLSchema) -> Described:
    """Count the lists of a schema."""
    types = list(schema.type_map.values())
    objects = [t for t in types if isinstance(t, GraphQLObjectType | GraphQLInterfaceType)]
    fields = [field for one in objects for field in one.fields.values()]
    enums = [t for t in types if isinstance(t, GraphQLEnumType)]
    inputs = [t for t in types if isinstance(t, GraphQLInputObjectType)]
    abstract = [t for t in types if is_abstract_type(t)]
    some = len(types)
    lengths = {
        ("__Schema", "types"): some,
        ("__Schema", "directives"): len(schema.directives),
        ("__Directive", "args"): _average(sum(len(one.args) for one in schema.directives), len(schema.directives)),
        ("__Type", "fields"): _average(len(fields), some),
        ("__Type", "interfaces"): _average(sum(len(one.interfaces) for one in objects), some),
        ("__Type", "possibleTypes"): _average(sum(len(schema.get_possible_types(t)) for t in abstract), some),
        ("__Type", "enumValues"): _average(sum(len(one.values) for one in enums), some),
        ("__Type", "inputFields"): _average(sum(len(one.fields) for one in inputs), some),
        ("__Field", "args"): _average(sum(len(field.args) for field in fields), len(fields)),
    }
    known = {name: type_ for name, type_ in introspection_types.items() if isinstance(type_, GraphQLObjectType)}
    return Described(lengths, known, {_SCHEMA: known["__Schema"], _TYPE: known["__Type"]})


def _average(all_of_them: int, number: int) -> int:
    return max(-(-all_of_them // max(number, 1)), 1)
