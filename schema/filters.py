"""The `where` inputs, generated from the registry, and how a given one becomes an expression.

Explicit null and an empty object are refused, because in other APIs they silently mean "everything".
"""

from __future__ import annotations

import enum
import re
from typing import Any, Optional

import strawberry
from strawberry import UNSET

from schema.expr import EVERYTHING, And, Compare, Expr, Not, Op, Or
from schema.fields import Field, Kind, Noun
from schema.generated import named, publish
from schema.ids import decode_id
from schema.scalars import DateTime
from sync.errors import BadInput

LIST_VALUES_MAX = 1_000
# Conditions of one filter, with every `and`, `or` and `not`; SQLite gives up at an expression 1,000 deep.
CONDITIONS_MAX = 200
NESTING_MAX = 20
TEXT_CHARS_MAX = 1_000
# What no stored text holds: PostgreSQL refuses both, and SQLite's LIKE ends at a null character.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_ANY = {
    Op.EQ: "Equal.",
    Op.NE: "Not equal; a missing value is not equal to any.",
    Op.IN: f"One of these, at most {LIST_VALUES_MAX:,}.",
    Op.NOT_IN: f"None of these, at most {LIST_VALUES_MAX:,}; a missing value is none of them.",
    Op.IS_NULL: "Whether the value is missing.",
}
_ORDERED = {Op.LT: "Less.", Op.LTE: "Less or equal.", Op.GT: "Greater.", Op.GTE: "Greater or equal."}
_TEXT = {
    Op.CONTAINS: "Contains, in any letter case; `%` and `_` mean themselves.",
    Op.STARTS_WITH: "Begins with, in any letter case.",
    Op.ENDS_WITH: "Ends with, in any letter case.",
}
_LIST = {
    Op.HAS: "An element equals this, in any letter case.",
    Op.HAS_ANY: "An element equals one of these.",
    Op.HAS_ALL: "Each of these equals an element.",
    Op.IS_EMPTY: "Whether there is no element.",
}
_OPERATORS: dict[Kind, dict[Op, str]] = {
    Kind.ID: {op: _ANY[op] for op in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN)},
    Kind.TEXT: _ANY | _ORDERED | _TEXT,
    Kind.BOOL: {op: _ANY[op] for op in (Op.EQ, Op.NE, Op.IS_NULL)},
    Kind.INT: _ANY | _ORDERED,
    Kind.TIME: _ANY | {Op.LT: "Before.", Op.LTE: "Before or at.", Op.GT: "After.", Op.GTE: "After or at."},
    Kind.ENUM: _ANY,
    Kind.LIST: _LIST,
}
_MANY = {Op.IN, Op.NOT_IN, Op.HAS_ANY, Op.HAS_ALL}
_FLAGS = {Op.IS_NULL, Op.IS_EMPTY}


def _input(name: str, description: str, fields: dict[str, tuple[Any, str, str]]) -> Any:
    """Make an input type; `fields` maps attribute → (annotation, GraphQL name, description), all optional."""
    body: dict[str, Any] = {
        "__annotations__": {},
    }
    for attribute, (annotation, graphql_name, text) in fields.items():
        body["__annotations__"][attribute] = Optional[annotation]  # noqa: UP045 - `|` does not take forward references
        body[attribute] = strawberry.field(name=graphql_name, description=text, default=UNSET)
    return publish(name, strawberry.input(type(name, (), body), description=description))


def _operators(name: str, kind: Kind, value: Any, description: str) -> Any:
    fields = {}
    for op, text in _OPERATORS[kind].items():
        annotation = bool if op in _FLAGS else list[value] if op in _MANY else value
        fields[f"op_{op.name}"] = (annotation, op.value, text)
    return _input(name, description, fields)


_SHARED = {
    Kind.ID: _operators("IDFilter", Kind.ID, strawberry.ID, "Conditions on an id; several are ANDed."),
    Kind.TEXT: _operators("StringFilter", Kind.TEXT, str, "Conditions on text; several are ANDed."),
    Kind.BOOL: _operators("BooleanFilter", Kind.BOOL, bool, "Conditions on a yes or no; several are ANDed."),
    Kind.INT: _operators("IntFilter", Kind.INT, int, "Conditions on a number; several are ANDed."),
    Kind.TIME: _operators("DateTimeFilter", Kind.TIME, DateTime, "Conditions on a time; several are ANDed."),
    Kind.LIST: _operators("StringListFilter", Kind.LIST, str, "Conditions on a list of texts; several are ANDed."),
}
_ENUM_FILTERS: dict[type[enum.Enum], Any] = {}


def _filter_type(field: Field) -> Any:
    if field.enum is None:
        return _SHARED[field.kind]
    if field.enum not in _ENUM_FILTERS:
        name = f"{field.enum.__name__}Filter"
        _ENUM_FILTERS[field.enum] = _operators(
            name, Kind.ENUM, field.enum, "Conditions on the value; several are ANDed."
        )
    return _ENUM_FILTERS[field.enum]


def where_input(noun: Noun) -> Any:
    """Generate a noun's `where` input."""
    name = f"{noun.name}Where"
    itself = named(name)
    fields: dict[str, tuple[Any, str, str]] = {
        "and_": (list[itself], "and", "All of these; an empty list is everything."),  # type: ignore[valid-type]
        "or_": (list[itself], "or", "Any of these; an empty list is nothing."),  # type: ignore[valid-type]
        "not_": (itself, "not", "Not this."),
    }
    for field in noun.fields.values():
        if field.is_filterable:
            fields[field.name] = (_filter_type(field), field.graphql_name, field.description)
    return _input(name, f"Which rows of {noun.name} to return; several conditions are ANDed.", fields)


def expression(noun: Noun, where: Any, path: str = "where") -> Expr:
    """Turn a given `where` into an expression.

    Raises:
        BadInput: an explicit null, an empty object, too much of something, or an id of another kind; says where.
    """
    if where is UNSET:
        return EVERYTHING
    expr = _expression(noun, where, path)
    size = _size(expr)
    if size > CONDITIONS_MAX:
        raise BadInput(f"{path} has {size} conditions; at most {CONDITIONS_MAX} are allowed.", path=path)
    return expr


def _expression(noun: Noun, where: Any, path: str, depth: int = 1) -> Expr:
    if depth > NESTING_MAX:
        raise BadInput(f"{path} is nested too deep; at most {NESTING_MAX} levels are allowed.", path=path)
    parts: list[Expr] = []
    for attribute, value in _given(where, path):
        field = noun.fields.get(attribute)
        here = f"{path}.{field.graphql_name if field else attribute.rstrip('_')}"
        if value is None:
            raise _null(here)
        if field:
            parts.extend(_comparisons(noun, field, value, here))
        elif attribute == "not_":
            parts.append(Not(_expression(noun, value, here, depth + 1)))
        else:
            inner = tuple(_expression(noun, part, f"{here}[{i}]", depth + 1) for i, part in enumerate(value))
            parts.append(And(inner) if attribute == "and_" else Or(inner))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _size(expr: Expr) -> int:
    match expr:
        case And(parts) | Or(parts):
            return 1 + sum(map(_size, parts))
        case Not(part):
            return 1 + _size(part)
    return 1


def _given(value: Any, path: str) -> list[tuple[str, Any]]:
    if value is None:
        raise _null(path)
    given = [(name, inner) for name, inner in vars(value).items() if inner is not UNSET]
    if not given:
        raise BadInput(f"{path} is empty.", hint="Leave it out, or give it a condition.", path=path)
    return given


def _null(path: str) -> BadInput:
    return BadInput(f"{path} is null.", hint="Leave it out, or use isNull to ask for missing values.", path=path)


def _comparisons(noun: Noun, field: Field, operators: Any, path: str) -> list[Expr]:
    made: list[Expr] = []
    for attribute, value in _given(operators, path):
        op = Op[attribute.removeprefix("op_")]
        here = f"{path}.{op.value}"
        if value is None or (op in _MANY and None in value):
            raise _null(here)
        if op in _MANY:
            if len(value) > LIST_VALUES_MAX:
                raise BadInput(f"{here} has {len(value)} values; at most {LIST_VALUES_MAX} are allowed.", path=here)
            made.append(Compare(field.name, op, tuple(_stored(noun, field, element, here) for element in value)))
        else:
            made.append(Compare(field.name, op, _stored(noun, field, value, here)))
    return made


def _stored(noun: Noun, field: Field, value: Any, path: str) -> Any:
    """Bring a value into the form it is stored in."""
    if field.kind is Kind.ID:
        return decode_id(value, noun.prefix, noun.name, path)
    if isinstance(value, str):
        return check_text(value, path)
    return value.value if isinstance(value, enum.Enum) else value


def check_text(text: str, path: str) -> str:
    """Return a text to compare stored ones with.

    Raises:
        BadInput: it is too long, or holds characters that no stored text has.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise BadInput(f"{path} has {len(text)} characters; at most {TEXT_CHARS_MAX} are allowed.", path=path)
    if _UNSTORABLE.search(text):
        raise BadInput(f"{path} holds a null character or half of a surrogate pair.", path=path)
    return text
