"""Hints for the error messages of graphql-core; they name parts of the schema, so use them with introspection only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from graphql import GraphQLError, GraphQLSchema, is_enum_type, is_input_object_type, is_interface_type, is_object_type

from schema.suggestion import shown

NAMES_MAX = 60
_PAGED = {"offset", "skip", "limit", "page", "pageSize", "take", "top"}
Said = Callable[[GraphQLSchema, "re.Match[str]"], str | None]


def with_hints(schema: GraphQLSchema, errors: Iterable[GraphQLError]) -> None:
    """Add a hint to each error that has none and matches a pattern."""
    for error in errors:
        if isinstance(error.original_error, GraphQLError | None) and "hint" not in (error.extensions or {}):
            if hint := hint_of(schema, error.message):
                error.extensions = {**(error.extensions or {}), "hint": hint}


def hint_of(schema: GraphQLSchema, message: str) -> str | None:
    """Return the hint for a message of graphql-core, or None."""
    for pattern, say in _SAYINGS:
        if found := pattern.search(message):
            return say(schema, found)
    return None


def _fields(schema: GraphQLSchema, found: re.Match[str]) -> str | None:
    type_ = schema.type_map.get(found["type"])
    if not (is_object_type(type_) or is_interface_type(type_) or is_input_object_type(type_)):
        return None
    is_one_of = is_input_object_type(type_) and type_.is_one_of
    return _listed("It takes exactly one of" if is_one_of else f"Fields of {type_.name}", type_.fields)


def _object(schema: GraphQLSchema, found: re.Match[str]) -> str | None:
    type_ = schema.type_map.get(found["type"])
    if not is_input_object_type(type_):
        return None
    example = next((name for name in ("eq", "has", "field", "some", "is") if name in type_.fields), None)
    lead = f"Write an object, such as {{{example}: …}}. " if example else "Write an object in braces. "
    return lead + (_fields(schema, found) or "")


def _values(schema: GraphQLSchema, found: re.Match[str]) -> str | None:
    type_ = schema.type_map.get(found["type"])
    return _listed(f"Values of {type_.name}", type_.values) if is_enum_type(type_) else None


def _arguments(schema: GraphQLSchema, found: re.Match[str]) -> str | None:
    type_ = schema.type_map.get(found["type"])
    field = type_.fields.get(found["field"]) if is_object_type(type_) or is_interface_type(type_) else None
    if field is None:
        return None
    if found["argument"] in _PAGED and "after" in field.args:
        return "Page with `first` and `after`: pass the `endCursor` of `pageInfo` as `after` of the next page."
    return _listed("Arguments", field.args) if field.args else f"{shown(found['field'])} takes no arguments."


def _listed(lead: str, names: Iterable[str]) -> str:
    all_ = list(names)
    if len(all_) > NAMES_MAX:
        return f"{lead}: GraphiQL completes all {len(all_)} names; `__type` lists them, too."
    return f"{lead}: {', '.join(all_)}."


_SAYINGS: tuple[tuple[re.Pattern[str], Said], ...] = (
    (re.compile(r"value of type '(?P<type>\w+)!?' to be an object"), _object),
    (re.compile(r"value of type '(?P<type>\w+)!?' (?:not )?to include"), _fields),
    (re.compile(r"OneOf Input Object '(?P<type>\w+)' must"), _fields),
    (re.compile(r"of type '(?P<type>\w+)!' is required, but"), _fields),
    (re.compile(r"does not exist in '(?P<type>\w+)' enum"), _values),
    (re.compile(r"Unknown argument '(?P<argument>\w+)' on field '(?P<type>\w+)\.(?P<field>\w+)'"), _arguments),
    (re.compile(r"Cannot query field '\w+' on type '(?P<type>\w+)'"), _fields),
    (re.compile(r"^String cannot represent a non string value"), lambda schema, found: "Put texts in double quotes."),
    (
        re.compile(r"(?:Int|Boolean) cannot represent a? ?non"),
        lambda schema, found: "Write numbers, true and false without quotes.",
    ),
    (re.compile(r"^Syntax Error: Expected .*found <EOF>"), lambda schema, found: "A closing brace is missing."),
)
