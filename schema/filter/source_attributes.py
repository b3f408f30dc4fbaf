"""Conditions on a source's attributes by the source's own names: `attributes` of a `where`."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry import UNSET

from schema.field.attribute import attribute, attribute_names, source_of
from schema.field.registry import Field, FieldKind, Noun, Relation
from schema.field.scalars import Duration, bound, parse_time
from schema.filter.check import check_text, null, set_fields
from schema.filter.expr import And, Compare, Expr, Not, Op, Quantifier, Related
from schema.filter.known_values import check_known
from schema.filter.operators import EXACT, LIST_VALUES_MAX
from schema.filter.operators import attribute as attribute_of
from schema.suggestion import did_you_mean
from sync.errors import BadInput
from sync.store.statement.function import version_key

_EQUAL = {Op.EQ, Op.NE, Op.IN, Op.NOT_IN, Op.IS_NULL}
_PART = {Op.CONTAINS, Op.STARTS_WITH, Op.ENDS_WITH}
_ORDER = {Op.LT, Op.LTE, Op.GT, Op.GTE}
_AGE = {Op.OLDER_THAN, Op.NEWER_THAN}
_ALLOWED = {
    FieldKind.TEXT: _EQUAL | _PART | _ORDER,
    FieldKind.VERSION: _EQUAL | _PART | _ORDER,
    FieldKind.BOOL: {Op.EQ, Op.NE, Op.IS_NULL},
    FieldKind.INT: _EQUAL | _ORDER,
    FieldKind.TIME: _EQUAL | _ORDER | _AGE,
    FieldKind.ENUM: _EQUAL,
    FieldKind.LIST: _EQUAL | _PART,
    FieldKind.ADDRESSES: _EQUAL | _PART,
    FieldKind.NUMBERS: _EQUAL | _ORDER,
}
# For lists: at least one element matches; the negated operators mean that none does.
_ELEMENT = {Op.EQ: Op.HAS, Op.IN: Op.HAS_ANY, Op.NE: Op.HAS, Op.NOT_IN: Op.HAS_ANY, Op.IS_NULL: Op.IS_EMPTY}
_NEGATED = {Op.NE, Op.NOT_IN}
_LISTS = {FieldKind.LIST, FieldKind.ADDRESSES, FieldKind.NUMBERS}
_MANY = {Op.IN, Op.NOT_IN}
_TEXTS = {
    Op.EQ: "Equal, in any letter case; for a list: an element is.",
    Op.NE: "Not equal; a missing value is not equal to any.",
    Op.IN: f"One of these, at most {LIST_VALUES_MAX:,}.",
    Op.NOT_IN: f"None of these, at most {LIST_VALUES_MAX:,}; a missing value is none of them.",
    Op.IS_NULL: "Whether the value is missing from a record of the source; `exists` covers all records together.",
    Op.LT: "Less, before, lower.",
    Op.LTE: "Less or equal.",
    Op.GT: "Greater, after, higher.",
    Op.GTE: "Greater or equal.",
    Op.CONTAINS: "Contains, in any letter case.",
    Op.STARTS_WITH: "Begins with, in any letter case.",
    Op.ENDS_WITH: "Ends with, in any letter case.",
    Op.OLDER_THAN: "A time longer ago than this: `30d`.",
    Op.NEWER_THAN: "A time more recent than this: `12h`.",
}


def _attribute_input() -> Any:
    body: dict[str, Any] = {"__annotations__": {"source": str, "name": str, "exists": bool | None}}
    body["source"] = strawberry.field(description="The source, such as `azuread`.")
    body["name"] = strawberry.field(description="The source's own name, such as `trustType`, in any letter case.")
    body["exists"] = strawberry.field(default=UNSET, description="Whether a record of the source has a value.")
    for op, text in _TEXTS.items():
        type_: Any = Duration if op in _AGE else list[str] if op in _MANY else bool if op is Op.IS_NULL else str
        body["__annotations__"][attribute_of(op)] = type_ | None
        body[attribute_of(op)] = strawberry.field(name=op.value, description=text, default=UNSET)
    description = (
        "A condition on an attribute by the source's own name. Several operators are ANDed, on the same record. "
        "Write values as text: `true`, `7`, `2026-11-23T04:05:06Z`."
    )
    return strawberry.input(type("AttributeFilter", (), body), description=description)


ATTRIBUTE = _attribute_input()


def attribute_condition(noun: Noun, value: Any, path: str) -> Expr:
    """Turn one condition on an attribute into an expression.

    Raises:
        BadInput: the source or attribute is unknown, the operator is missing, or an operator or value does not fit.
    """
    values = dict(set_fields(value, path))
    source, name = values.pop("source"), values.pop("name")
    source = source_of(source, path)
    found = attribute(noun, source, None, name)
    if found is None:
        raise no_attribute(noun, source, name, path)
    relation, field = found
    if not values:
        raise BadInput(f"{path} has no operator.", hint="Give it one, such as exists or eq.", path=path)
    parts: list[Expr] = []
    is_there = values.pop("exists", UNSET)
    if is_there is None:
        raise null(f"{path}.exists")
    if is_there is not UNSET:
        present = _of_record(relation, Compare(field.name, Op.IS_EMPTY, False))
        parts.append(present if is_there else Not(present))
    conditions = [_condition(field, key, inner, path) for key, inner in values.items()]
    if conditions:
        parts.append(_of_record(relation, And(tuple(conditions))))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def has_attributes(noun: Noun) -> bool:
    """Tell whether a noun is a source's record, or has such records."""
    return "external_id" in noun.fields or any(relation.source for relation in noun.relations.values())


def no_attribute(noun: Noun, source: str, name: str, path: str) -> BadInput:
    """Make the error of an unknown attribute."""
    hint = did_you_mean(name, attribute_names(noun, source), "`attributes` and `raw` of a row show all of them.")
    return BadInput(f"{path}: the source {source} has no attribute of that name.", hint=hint, path=path)


def _of_record(relation: Relation | None, part: Expr) -> Expr:
    return Related(relation.name, Quantifier.SOME, part) if relation else part


def _condition(field: Field, key: str, value: Any, path: str) -> Expr:
    op = Op[key.removeprefix("op_")]
    here = f"{path}.{op.value}"
    if value is None or (op in _MANY and None in value):
        raise null(here)
    if op not in _ALLOWED.get(field.kind, ()):
        fitting = ", ".join(sorted(one.value for one in _ALLOWED.get(field.kind, ())))
        message = f"{here} does not fit an attribute whose values are of kind {field.kind.value}."
        raise BadInput(message, hint=f"These fit: exists, {fitting}.", path=here)
    if op in _MANY and len(value) > LIST_VALUES_MAX:
        raise BadInput(f"{here} has {len(value)} values; at most {LIST_VALUES_MAX} are allowed.", path=here)
    stored = tuple(_stored(field, op, one, here) for one in value) if op in _MANY else _stored(field, op, value, here)
    if field.kind not in _LISTS:
        return Compare(field.name, op, stored)
    of_element = Compare(field.name, _ELEMENT.get(op, op), stored)
    return Not(of_element) if op in _NEGATED else of_element


def _stored(field: Field, op: Op, value: Any, path: str) -> Any:
    if op in _AGE or op is Op.IS_NULL:
        return value
    text = check_text(value, path)
    if field.kind is FieldKind.BOOL:
        if text not in ("true", "false"):
            message, hint = f"{path}: this is neither true nor false.", 'Write "true" or "false".'
            raise BadInput(message, hint=hint, path=path)
        return text == "true"
    if field.kind in (FieldKind.INT, FieldKind.NUMBERS):
        if not text.removeprefix("-").isdecimal() or len(text) > 18:
            hint = 'Write its digits as text, such as "7".'
            raise BadInput(f"{path}: this is not a whole number.", hint=hint, path=path)
        return int(text)
    if field.kind is FieldKind.TIME:
        return _time(text, path)
    if op in EXACT:
        check_known(field.name, text, path)
    if field.kind is FieldKind.VERSION and op in _ORDER and version_key(text) is None:
        raise BadInput(f"{path}: this is not a version such as 10.0.19045.", path=path)
    return text


def _time(text: str, path: str) -> str:
    try:
        return bound(parse_time(text))
    except BadInput as error:
        raise BadInput(f"{path}: this is not a time.", hint=str(error), path=path) from None
