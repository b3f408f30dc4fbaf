"""The expected length of lists that take no size: declared with each; of the schema's own lists, counted.

Lists of texts and numbers are no such lists: they are part of the row that they belong to.
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
# Of a list that says nothing of its length; a test sees to it that none of the product does.
UNSAID = 10
_DEFINITION = "strawberry-definition"
_SCHEMA, _TYPE = "__schema", "__type"


def about(rows: int) -> dict[str, Any]:
    """Return the metadata of a list's field that says how many rows it usually has at most."""
    return {EXPECTED: rows}


def said(field: GraphQLField) -> int | None:
    """Return how long the declaration of a list says it is; None if it does not say."""
    declared = field.extensions.get(_DEFINITION)
    if declared is None:
        return None
    found = declared.metadata.get(EXPECTED)
    if found is None:
        found = getattr(declared.metadata.get(FORM), EXPECTED, None)
    return None if found is None else int(found)


def expected(field: GraphQLField) -> int:
    """Return how long a list that takes no size may be expected to be."""
    found = said(field)
    return UNSAID if found is None else found


def is_list(type_: Any) -> bool:
    """Tell whether a value of a type is a list."""
    while isinstance(type_, GraphQLWrappingType):
        if is_list_type(type_):
            return True
        type_ = type_.of_type
    return False


@dataclass(frozen=True)
class Described:
    """How long the lists of introspection are: (type, field) → length, what is not a list being 1.

    All types are one list of known length; of what each type has, the average rounded up, so that all of them together
    cost what there is, and one alone is not dear.
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
        """Return how many objects a field has."""
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
