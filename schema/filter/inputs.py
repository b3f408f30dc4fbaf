"""Generates the `where` inputs from the registry, and converts a `where` to an expression.

Refuses null and an empty object, because in other APIs they silently mean "everything".
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from schema.field.attribute import source_of
from schema.field.ids import decode_id
from schema.field.registry import NOUNS, Field, FieldKind, Noun, Relation
from schema.field.scalars import bound
from schema.filter.check import check_text, null, set_fields
from schema.filter.conversion import converted
from schema.filter.expr import EVERYTHING, NOTHING, And, Compare, Count, Expr, Not, Op, Or, Quantifier, Related, exists
from schema.filter.known_values import check_known
from schema.filter.operators import COUNT, EXACT, LIST_VALUES_MAX, MANY, filter_type, make_input
from schema.filter.source_attributes import ATTRIBUTE, attribute_condition, has_attributes
from schema.generated import named
from schema.search import read_search
from sync.errors import BadInput
from sync.store.statement.function import version_key

# Every `and`, `or`, `not` and relation counts as a condition; SQLite refuses expressions deeper than 1,000.
CONDITIONS_MAX = 200
NESTING_MAX = 10
_VERSIONS_ORDERED = {Op.LT, Op.LTE, Op.GT, Op.GTE}


def where_input(noun: Noun) -> Any:
    """Generate a noun's `where` input, and the input of conditions on a relation to it."""
    name = f"{noun.name}Where"
    itself = named(name)
    fields: dict[str, tuple[Any, str, str]] = {
        "and_": (list[itself], "and", "All of these; an empty list matches everything."),  # type: ignore[valid-type]
        "or_": (list[itself], "or", "Any of these; an empty list matches nothing."),  # type: ignore[valid-type]
        "not_": (itself, "not", "Not this."),
    }
    for field in noun.filterable().values():
        fields[field.name] = (filter_type(field), field.graphql_name, field.description)
    for relation in noun.relations.values():
        type_ = named(f"{relation.target}{'RelationFilter' if relation.is_many else 'Where'}")
        fields[relation.name] = (type_, relation.graphql_name, relation.description)
    for ends in (ends for name, ends in noun.ends.items() if name not in noun.relations):
        fields[ends.name] = (named("EndsFilter"), ends.graphql_name, ends.description)
    if has_attributes(noun):
        text = "Conditions on attributes by the sources' own names; several are ANDed."
        fields["attributes"] = (list[ATTRIBUTE], "attributes", text)
    _relation_input(noun)
    return make_input(name, f"Conditions on rows of {noun.name}; several are ANDed.", fields)


_COUNTING = {
    "exists": (bool, "exists", "Whether there are any."),
    "count": (COUNT, "count", "How many there are."),
}


def ends_input() -> Any:
    """Generate the input of conditions on a relation to rows of several nouns."""
    return make_input("EndsFilter", "Conditions on related rows of every kind; several are ANDed.", _COUNTING)


def _relation_input(noun: Noun) -> None:
    where = named(f"{noun.name}Where")
    fields = {
        "some": (where, "some", "At least one of them matches."),
        "none": (where, "none", "None of them matches; also true if there are none."),
        "every": (where, "every", "All of them match; also true if there are none."),
        **_COUNTING,
    }
    text = f"Conditions on the related rows of {noun.name}; several are ANDed."
    make_input(f"{noun.name}RelationFilter", text, fields)


def expression(
    noun: Noun, where: Any, search: str | None = None, path: str = "where", *, takes_unknown: bool = False
) -> Expr:
    """Turn a `where` and a search text into one expression: both must match.

    Args:
        noun: the inventory to filter.
        where: the typed filter; None if there is none.
        search: the search text; None if there is none.
        path: of the typed filter.
        takes_unknown: whether unknown terms match nothing, instead of being mistakes.

    Raises:
        BadInput: a null or an empty object inside the filter, a limit exceeded, or an id of another kind; says where.
        BadSearch: the search text has a mistake; says where.
    """
    parts = []
    if where is not None:
        parts.append(_expression(noun, where, path))
        size = _size(parts[0])
        if size > CONDITIONS_MAX:
            raise BadInput(f"{path} has {size} conditions; at most {CONDITIONS_MAX} are allowed.", path=path)
    if search is not None:
        parts.append(read_search(noun.name, search, takes_unknown=takes_unknown).expr)
    return parts[0] if len(parts) == 1 else And(tuple(parts)) if parts else EVERYTHING


def _expression(noun: Noun, where: Any, path: str, depth: int = 1) -> Expr:
    if depth > NESTING_MAX:
        raise BadInput(f"{path} is nested too deep; at most {NESTING_MAX} levels are allowed.", path=path)
    parts: list[Expr] = []
    for name, value in set_fields(where, path):
        field, relation, ends = noun.filterable().get(name), noun.relations.get(name), noun.ends.get(name)
        known = field or relation or ends
        here = f"{path}.{known.graphql_name if known else name.rstrip('_')}"
        if value is None:
            raise null(here)
        if field:
            parts.extend(_comparisons(noun, field, value, here))
        elif relation:
            parts.extend(_relation(noun, relation, value, here, depth + 1))
        elif ends:
            parts.extend(_counted(how, name, inner, place) for how, inner, place in _relation_fields(value, here))
        elif name == "attributes":
            parts.extend(attribute_condition(noun, inner, f"{here}[{i}]") for i, inner in enumerate(value))
        elif name == "not_":
            parts.append(Not(_expression(noun, value, here, depth + 1)))
        else:
            inner = tuple(_expression(noun, part, f"{here}[{i}]", depth + 1) for i, part in enumerate(value))
            parts.append(And(inner) if name == "and_" else Or(inner))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _relation(noun: Noun, relation: Relation, value: Any, path: str, depth: int) -> list[Expr]:
    target = NOUNS[relation.target]
    if not relation.is_many:
        return [_quantified(noun, relation, Quantifier.SOME, _expression(target, value, path, depth))]
    parts: list[Expr] = []
    for name, inner, here in _relation_fields(value, path):
        if name in _COUNTING:
            parts.append(_counted(name, relation.name, inner, here))
        else:
            part = _expression(target, inner, here, depth)
            parts.append(_quantified(noun, relation, Quantifier(name), part))
    return parts


def _relation_fields(value: Any, path: str) -> Iterator[tuple[str, Any, str]]:
    """Yield the conditions on a relation: name, value, path."""
    for name, inner in set_fields(value, path):
        if inner is None:
            raise null(f"{path}.{name}")
        yield name, inner, f"{path}.{name}"


def _counted(name: str, relation: str, value: Any, path: str) -> Expr:
    """Convert `exists` or `count` of the related rows."""
    if name == "exists":
        return exists(relation) if value else Not(exists(relation))
    parts: list[Expr] = []
    for attribute, number in set_fields(value, path):
        op = Op[attribute.removeprefix("op_")]
        if number is None:
            raise null(f"{path}.{op.value}")
        parts.append(Count((relation,), op, number))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _quantified(noun: Noun, relation: Relation, quantifier: Quantifier, part: Expr) -> Expr:
    """Apply a condition to all related rows: those of the relation's target and those of its `others`."""
    own = Related(relation.name, quantifier, part)
    if relation.others is None:
        return own
    other = NOUNS[noun.relations[relation.others].target]
    asked = converted(other, NOUNS[relation.target], part)
    rest = Related(relation.others, quantifier, asked)
    if asked == (EVERYTHING if quantifier is Quantifier.EVERY else NOTHING):
        return own
    return Or((own, rest)) if quantifier is Quantifier.SOME else And((own, rest))


def _size(expr: Expr) -> int:
    match expr:
        case And(parts) | Or(parts):
            return 1 + sum(map(_size, parts))
        case Not(part) | Related(_, _, part):
            return 1 + _size(part)
    return 1


def _comparisons(noun: Noun, field: Field, operators: Any, path: str) -> list[Expr]:
    made: list[Expr] = []
    for attribute, value in set_fields(operators, path):
        op = Op[attribute.removeprefix("op_")]
        here = f"{path}.{op.value}"
        if value is None or (op in MANY and None in value):
            raise null(here)
        if op in MANY:
            if len(value) > LIST_VALUES_MAX:
                raise BadInput(f"{here} has {len(value)} values; at most {LIST_VALUES_MAX} are allowed.", path=here)
            made.append(Compare(field.name, op, tuple(_stored(noun, field, op, element, here) for element in value)))
        else:
            made.append(Compare(field.name, op, _stored(noun, field, op, value, here)))
    return made


def _stored(noun: Noun, field: Field, op: Op, value: Any, path: str) -> Any:
    """Convert a value to its stored form."""
    if field.kind is FieldKind.ID:
        return decode_id(value, noun.prefix, noun.name, path)
    if not isinstance(value, str):
        return value.value if isinstance(value, enum.Enum) else value
    text = bound(check_text(value, path))
    if op in EXACT:
        check_known(field.name, text, path)
    if op is Op.IN_NETWORK:
        try:
            return str(ip_network(text, strict=False))
        except ValueError:
            hint = "Write a network such as fd00::/8, or a single address such as 10.0.0.5."
            message = f"{path}: this is not a network such as 10.0.0.0/8."
            raise BadInput(message, hint=hint, path=path) from None
    if field.kind is FieldKind.SOURCES:
        return source_of(text, path)
    if field.kind is FieldKind.VERSION and op in _VERSIONS_ORDERED and version_key(text) is None:
        raise BadInput(f"{path}: this is not a version such as 10.0.19045.", path=path)
    return text
