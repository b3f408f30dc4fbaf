"""The filter operators of each kind of field, and the input types made from them."""

from __future__ import annotations

import enum
from typing import Any, Optional

import strawberry
from strawberry import UNSET

from schema.field.registry import Field, FieldKind
from schema.field.scalars import DateTime, Duration
from schema.filter.expr import Op
from schema.generated import publish

LIST_VALUES_MAX = 1_000

_ANY = {
    Op.EQ: "Equal.",
    Op.NE: "Not equal; a missing value is not equal to any.",
    Op.IN: f"One of these, at most {LIST_VALUES_MAX:,}.",
    Op.NOT_IN: f"None of these, at most {LIST_VALUES_MAX:,}; a missing value is none of them.",
    Op.IS_NULL: "Whether the value is missing.",
}
_SAME = "ignores letter case, but not accents"
_TEXTS = {
    Op.EQ: f"Equal; {_SAME}.",
    Op.NE: f"Not equal; {_SAME}; a missing value is not equal to any.",
    Op.IN: f"One of these, at most {LIST_VALUES_MAX:,}; {_SAME}.",
    Op.NOT_IN: f"None of these, at most {LIST_VALUES_MAX:,}; {_SAME}; a missing value is none of them.",
    Op.IS_NULL: _ANY[Op.IS_NULL],
    Op.LT: "Sorted before it, without letter case and accents.",
    Op.LTE: "Sorted before it or equal.",
    Op.GT: "Sorted after it, without letter case and accents.",
    Op.GTE: "Sorted after it or equal.",
}
_ORDERED = {Op.LT: "Less.", Op.LTE: "Less or equal.", Op.GT: "Greater.", Op.GTE: "Greater or equal."}
_TEXT = {
    Op.CONTAINS: "Contains, in any letter case; `%` and `_` are not wildcards.",
    Op.STARTS_WITH: "Begins with, in any letter case.",
    Op.ENDS_WITH: "Ends with, in any letter case.",
}
_VERSION = {
    Op.LT: "Lower, number by number: 10.0.9 is lower than 10.0.10, and 10.0 is 10.0.0.",
    Op.LTE: "Lower or the same, number by number.",
    Op.GT: "Higher, number by number.",
    Op.GTE: "Higher or the same, number by number.",
}
_TIME = {
    Op.LT: "Before.",
    Op.LTE: "Before or at.",
    Op.GT: "After.",
    Op.GTE: "After or at.",
    Op.OLDER_THAN: "Longer ago than this: `90d` finds stale rows; a missing time does not match.",
    Op.NEWER_THAN: "More recent than this, also in the future: `1d` finds everything since this time yesterday.",
}
_LIST = {
    Op.HAS: "An element equals this, in any letter case.",
    Op.HAS_ANY: "An element equals one of these.",
    Op.HAS_ALL: "Each of these equals an element.",
    Op.IS_EMPTY: "Whether there is no element.",
}
_OPERATORS: dict[FieldKind, dict[Op, str]] = {
    FieldKind.ID: {op: _ANY[op] for op in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN)},
    FieldKind.TEXT: _TEXTS | _TEXT,
    FieldKind.VERSION: _TEXTS | _VERSION | _TEXT,
    FieldKind.BOOL: {op: _ANY[op] for op in (Op.EQ, Op.NE, Op.IS_NULL)},
    FieldKind.INT: _ANY | _ORDERED,
    FieldKind.TIME: _ANY | _TIME,
    FieldKind.ENUM: _ANY,
    FieldKind.LIST: _LIST,
    FieldKind.ADDRESSES: _LIST | {Op.IN_NETWORK: "An element lies in one of these networks, such as `10.0.0.0/8`."},
    FieldKind.NUMBERS: {
        Op.HAS: "An element equals this.",
        Op.LT: "An element is less.",
        Op.LTE: "An element is less or equal.",
        Op.GT: "An element is greater.",
        Op.GTE: "An element is greater or equal.",
        **{op: _LIST[op] for op in (Op.HAS_ANY, Op.HAS_ALL, Op.IS_EMPTY)},
    },
    FieldKind.SOURCES: _LIST,
}
MANY = {Op.IN, Op.NOT_IN, Op.HAS_ANY, Op.HAS_ALL, Op.IN_NETWORK}
EXACT = {Op.EQ, Op.NE, Op.IN, Op.NOT_IN, Op.HAS, Op.HAS_ANY, Op.HAS_ALL}
FLAGS = {Op.IS_NULL, Op.IS_EMPTY}
RELATIVE = {Op.OLDER_THAN, Op.NEWER_THAN}


def make_input(name: str, description: str, fields: dict[str, tuple[Any, str, str]]) -> Any:
    """Make an input type; `fields` maps attribute → (annotation, GraphQL name, description), all optional."""
    body: dict[str, Any] = {"__annotations__": {}}
    for attribute, (annotation, graphql_name, text) in fields.items():
        body["__annotations__"][attribute] = Optional[annotation]  # noqa: UP045 - `|` does not take forward references
        body[attribute] = strawberry.field(name=graphql_name, description=text, default=UNSET)
    return publish(name, strawberry.input(type(name, (), body), description=description))


def _operators(name: str, kind: FieldKind, value: Any, description: str) -> Any:
    fields = {}
    for op, text in _OPERATORS[kind].items():
        annotation = bool if op in FLAGS else list[value] if op in MANY else Duration if op in RELATIVE else value
        fields[attribute(op)] = (annotation, op.value, text)
    return make_input(name, description, fields)


def attribute(op: Op) -> str:
    """Return the name of the input's attribute for an operator."""
    return f"op_{op.name}"


_SHARED = {
    FieldKind.ID: _operators("IDFilter", FieldKind.ID, strawberry.ID, "Conditions on an id; several are ANDed."),
    FieldKind.TEXT: _operators("StringFilter", FieldKind.TEXT, str, "Conditions on text; several are ANDed."),
    FieldKind.VERSION: _operators(
        "VersionFilter", FieldKind.VERSION, str, "Conditions on a version; several are ANDed."
    ),
    FieldKind.BOOL: _operators("BooleanFilter", FieldKind.BOOL, bool, "Conditions on a yes or no; several are ANDed."),
    FieldKind.INT: _operators("IntFilter", FieldKind.INT, int, "Conditions on a number; several are ANDed."),
    FieldKind.TIME: _operators("DateTimeFilter", FieldKind.TIME, DateTime, "Conditions on a time; several are ANDed."),
    FieldKind.LIST: _operators(
        "StringListFilter", FieldKind.LIST, str, "Conditions on a list of texts; several are ANDed."
    ),
    FieldKind.NUMBERS: _operators(
        "IntListFilter", FieldKind.NUMBERS, int, "Conditions on a list of numbers; several are ANDed."
    ),
    FieldKind.ADDRESSES: _operators(
        "AddressListFilter", FieldKind.ADDRESSES, str, "Conditions on a list of IP addresses; several are ANDed."
    ),
    FieldKind.SOURCES: _operators(
        "SourceListFilter", FieldKind.SOURCES, str, "Conditions on sources; several are ANDed."
    ),
}
_ENUM_FILTERS: dict[type[enum.Enum], Any] = {}


def filter_type(field: Field) -> Any:
    """Return the input type of a field's conditions."""
    if field.enum is None:
        return _SHARED[field.kind]
    if field.enum not in _ENUM_FILTERS:
        name = f"{field.enum.__name__}Filter"
        _ENUM_FILTERS[field.enum] = _operators(
            name, FieldKind.ENUM, field.enum, "Conditions on the value; several are ANDed."
        )
    return _ENUM_FILTERS[field.enum]


COUNT = make_input(
    "CountFilter",
    "Conditions on the number of rows; several are ANDed.",
    {attribute(op): (int, op.value, text) for op, text in ({op: _ANY[op] for op in (Op.EQ, Op.NE)} | _ORDERED).items()},
)
