"""Counts of rows, in all and by what they have in common: a dashboard in one request.

What rows can be grouped by is generated from the registry: a noun's own fields, a field of what a relation leads to,
and any attribute that a source gives. A list counts once for each element, so a row may be in several groups.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Optional

import strawberry
from sqlalchemy import ColumnElement, FromClause, Select, Text, func, literal, select, true
from strawberry import UNSET
from strawberry.types import Info
from strawberry.utils.str_converters import to_camel_case

from schema.context import Context
from schema.field.arguments import GROUP_BY, accept, argument, given
from schema.field.attribute import attributes, folded, source_of
from schema.field.registry import LISTS, NOUNS, Field, FieldKind, Noun, Relation
from schema.field.rows import is_indexed, rows_of
from schema.field.scalars import JSON
from schema.filter.access_path import in_key_order, select_keys, without_index
from schema.filter.source_attributes import no_attribute
from schema.generated import named, publish
from schema.limit.expected import about
from schema.list.connection import DEFAULTS, UNKNOWN
from schema.list.narrowing import narrowed, unknown_of, whole_narrowing
from schema.list.paging import FIRST_DEFAULT, FIRST_MAX
from sync.errors import BadInput
from sync.inventory.asset.source import AZUREAD
from sync.inventory.directory.kind import DEVICE, GROUP, USER
from sync.store.statement.digits import read_json
from sync.store.tables import devices, raw
from sync.store.tables.column import key_of

KEYS_MAX = 3
FIRST = f"How many groups at most, the largest first: 1 to {FIRST_MAX:,}, {FIRST_DEFAULT} unless given."
# Nouns that have aggregates → where the JSON lies that their source gave: (key of the row, key of the received object).
RECEIVED: dict[str, Callable[[], Select[Any]]] = {
    "Asset": lambda: select(devices.c.asset_id, devices.c.id).where(devices.c.deleted_at.is_(None)),
    "User": lambda: select(raw.c.object_id, raw.c.object_id.label("received")),
    "Group": lambda: select(raw.c.object_id, raw.c.object_id.label("received")),
}
_KINDS = {"Asset": DEVICE, "User": USER, "Group": GROUP}
_EXTENSION = re.compile("extensionAttribute([0-9]{1,2})", re.IGNORECASE | re.ASCII)
_ATTRIBUTE = re.compile(r"[A-Za-z0-9_@.\-]{1,200}", re.ASCII)


@strawberry.type(description="What the rows of a group have in common, in one respect.")
class AggregateKey:
    field: str = strawberry.field(
        description="What was grouped by, such as `os`, `owners.department`, `azuread.trustType`."
    )
    value: JSON | None = strawberry.field(description="The value; null for rows that have none.")


@strawberry.type(description="Rows that have the same values.")
class AggregateGroup:
    keys: list[AggregateKey] = strawberry.field(
        description="The values, in the order of `groupBy`.", metadata=about(KEYS_MAX)
    )
    count: int = strawberry.field(description="How many rows have them.")


@strawberry.input(description="An attribute as its source named it.")
class AttributeName:
    source: str = strawberry.field(description="The source: `azuread`, or an alias.")
    name: str = strawberry.field(description="The source's own name; nested values are joined by dots.")


@dataclass(frozen=True)
class GroupKey:
    """One thing to group by: its public name, how the rows reach it, and how its value is read."""

    name: str
    column: ColumnElement[Any]
    join: Callable[[FromClause], FromClause] = lambda rows: rows
    # Whether a row may have several values.
    is_many: bool = False
    read: Callable[[Any], Any] = lambda value: value


@strawberry.type(description="Counts of rows.")
class Aggregate:
    noun: strawberry.Private[Noun]
    rows: strawberry.Private[Select[Any]]
    chosen: strawberry.Private[list[GroupKey]]
    first: strawberry.Private[int]
    unknown_terms: list[str] = strawberry.field(description=UNKNOWN)

    @strawberry.field(description="How many rows there are.")
    async def count(self, info: Info[Context, None]) -> int:
        """Count the rows."""
        number = self.rows.with_only_columns(func.count().label("number"), maintain_column_froms=True)
        return int((await info.context.fetch(number))[0]["number"])

    @strawberry.field(description="How many groups there are, also beyond `first`.")
    async def group_count(self, info: Info[Context, None]) -> int:
        """Count the groups."""
        groups = self._grouped().order_by(None).subquery()
        return int((await info.context.fetch(select(func.count().label("number")).select_from(groups)))[0]["number"])

    @strawberry.field(description="The groups, the largest first; one of all rows without `groupBy`.")
    async def groups(self, info: Info[Context, None]) -> list[AggregateGroup]:
        """Count the rows of each group."""
        return [
            AggregateGroup(
                keys=[AggregateKey(field=key.name, value=key.read(row[f"k{n}"])) for n, key in enumerate(self.chosen)],
                count=row["number"],
            )
            for row in await info.context.fetch(self._grouped().limit(self.first))
        ]

    def _grouped(self) -> Select[Any]:
        source: FromClause = self.noun.table
        for key in self.chosen:
            source = key.join(source)
        columns = [key.column.label(f"k{place}") for place, key in enumerate(self.chosen)]
        counted = self.noun.key.distinct() if any(key.is_many for key in self.chosen) else self.noun.key
        number = func.count(counted).label("number")
        statement = self.rows.with_only_columns(*columns, number).select_from(source)
        # The index of a text has it behind its sort key.
        keys = [sorted_by for one in self.chosen if (sorted_by := key_of(one.column)) is not None]
        return statement.group_by(*keys, *columns).order_by(number.desc(), *columns)


def aggregate(target: str, description: str) -> Any:
    """Declare the field that counts rows of a noun."""

    async def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        return await info.context.prepared(info, arguments, partial(_made, NOUNS[target], info.context, arguments))

    arguments = whole_narrowing(target) | {
        "group_by": argument(Optional[list[named(f"{target}GroupBy")]], GROUP_BY),  # type: ignore[misc]  # noqa: UP045
        "first": argument(int | None, FIRST),
    }
    accept(resolve, Aggregate, arguments, DEFAULTS)
    return strawberry.field(resolver=resolve, description=description)


def _made(noun: Noun, context: Context, arguments: Mapping[str, Any]) -> Aggregate:
    rows, _, found = narrowed(context.viewpoint, noun, arguments)
    if paths := found.to_all():
        chosen_rows = select_keys(rows, noun.key, paths)
        rows = rows_of(noun, context.principal).where(noun.key.in_(chosen_rows))
    chosen = _keys(context, noun, given(arguments.get("group_by")) or [])
    if not paths and not found.ranges and not _is_counted(chosen):
        rows = in_key_order(noun, rows)
        chosen = [replace(key, column=without_index(key.column)) for key in chosen]
    first, unknown = _first(given(arguments.get("first"))), unknown_of(noun, arguments)
    return Aggregate(noun=noun, rows=rows, chosen=chosen, first=first, unknown_terms=list(unknown))


def generate_group_by() -> None:
    """Generate what the nouns with aggregates can be grouped by, from the registry."""
    for noun in NOUNS.values():
        values = {
            field.name.upper(): strawberry.enum_value(field.name, description=field.description)
            for field in noun.fields.values()
            if is_groupable(field)
        }
        made = enum.Enum(f"{noun.name}GroupField", values)  # type: ignore[misc]
        publish(f"{noun.name}GroupField", strawberry.enum(made, description=f"What rows of {noun.name} can share."))
    for name in RECEIVED:
        publish(f"{name}GroupBy", _group_by_input(NOUNS[name]))


def is_groupable(field: Field) -> bool:
    """Tell whether rows can be grouped by a field: all that filters know but the id, which no two share."""
    return field.is_filterable and field.kind is not FieldKind.ID


def _group_by_input(noun: Noun) -> Any:
    fields: dict[str, tuple[Any, str]] = {
        "field": (named(f"{noun.name}GroupField"), "A field of its own; a list counts once for each element."),
        "attribute": (AttributeName, "An attribute that a source gives."),
    }
    for relation in noun.relations.values():
        words = to_camel_case(relation.name)
        fields[relation.name] = (
            named(f"{relation.target}GroupField"),
            f"A field of its `{words}`; a row counts once for each value they have, as null if there are none.",
        )
    body: dict[str, Any] = {"__annotations__": {name: Optional[type_] for name, (type_, _) in fields.items()}}  # noqa: UP045
    body |= {name: strawberry.field(default=UNSET, description=text) for name, (_, text) in fields.items()}
    description = f"What to group rows of {noun.name} by; exactly one."
    return strawberry.input(type(f"{noun.name}GroupBy", (), body), one_of=True, description=description)


def _is_counted(chosen: list[GroupKey]) -> bool:
    """Tell whether an index alone has what is grouped by."""
    return not chosen or (len(chosen) == 1 and is_indexed(chosen[0].column))


def _first(first: int | None) -> int:
    first = FIRST_DEFAULT if first is None else first
    if not 1 <= first <= FIRST_MAX:
        raise BadInput(f"`first` must be 1 to {FIRST_MAX}; it is {first}.", path="first")
    return first


def _keys(context: Context, noun: Noun, asked: list[Any]) -> list[GroupKey]:
    if len(asked) > KEYS_MAX:
        raise BadInput(f"groupBy has {len(asked)} keys; at most {KEYS_MAX} are allowed.", path="groupBy")
    found = []
    for place, key in enumerate(asked):
        ((name, value),) = ((name, value) for name, value in vars(key).items() if value is not UNSET)
        if name == "field":
            found.append(_own(noun.fields[value.value], place))
        elif name == "attribute":
            found.append(_attribute(noun, value, place))
        else:
            found.append(_related(context, noun, noun.relations[name], value.value, place))
    return found


def _own(field: Field, place: int) -> GroupKey:
    if field.kind not in LISTS:
        return GroupKey(field.graphql_name, field.column)
    elements = func.json_each(field.column).table_valued("value", name=f"e{place}")
    return GroupKey(field.graphql_name, elements.c.value, lambda rows: rows.outerjoin(elements, true()), is_many=True)


def _related(context: Context, noun: Noun, relation: Relation, name: str, place: int) -> GroupKey:
    """Group by a field of what a relation leads to, as far as the caller may see it."""
    target = NOUNS[relation.target]
    field = target.fields[name]
    pairs = relation.pairs().subquery(f"p{place}")
    parent, child = pairs.columns
    value: ColumnElement[Any] = field.column
    source: FromClause = target.table
    if field.kind in LISTS:
        elements = func.json_each(field.column).table_valued("value", name=f"e{place}")
        source, value = source.outerjoin(elements, true()), elements.c.value
    seen = rows_of(target, context.principal).with_only_columns(target.key.label("key"), value.label("value"))
    there = seen.select_from(source).subquery(f"t{place}")
    # Joined with each other first: an edge to what is gone must not look like a row that has none.
    reached = select(parent.label("parent"), there.c.value).join_from(pairs, there, there.c.key == child)
    reached_ = reached.subquery(f"r{place}")
    return GroupKey(
        f"{to_camel_case(relation.name)}.{field.graphql_name}",
        reached_.c.value,
        lambda rows: rows.outerjoin(reached_, reached_.c.parent == noun.key),
        is_many=True,
    )


def _attribute(noun: Noun, attribute: AttributeName, place: int) -> GroupKey:
    path = f"groupBy[{place}].attribute"
    if (source := source_of(attribute.source, f"{path}.source")) != AZUREAD:
        more = " What scans found is grouped by as `scan`." if noun.name == "Asset" else ""
        hint = f"Use {AZUREAD}.{more}"
        raise BadInput(f"{path}.source: {source} gives no attributes to group by.", hint=hint, path=f"{path}.source")
    name = _received_name(noun, source, attribute.name, f"{path}.name")
    steps = "$" + "".join(f'."{step}"' for step in name.split("."))
    owner, received = (pairs := RECEIVED[noun.name]().subquery(f"p{place}")).columns
    # The JSON text of the value keeps its type; a stored null is no value.
    value = func.nullif(raw.c.item.op("->", return_type=Text())(literal(steps, Text())), "null")
    reached = select(owner.label("parent"), value.label("value")).join_from(pairs, raw, raw.c.object_id == received)
    reached_ = reached.subquery(f"r{place}")
    return GroupKey(
        f"{source}.{name}",
        reached_.c.value,
        lambda rows: rows.outerjoin(reached_, reached_.c.parent == noun.key),
        is_many=noun.name == "Asset",
        read=_received,
    )


def _received_name(noun: Noun, source: str, name: str, path: str) -> str:
    """Return the path to an attribute in the received JSON, in the source's own letter case."""
    first, dot, rest = name.partition(".")
    known = {prop.casefold(): prop for prop in ("id", *_KINDS[noun.name].select(with_edges=False))}
    if first.casefold() in known and _ATTRIBUTE.fullmatch(name):
        return known[first.casefold()] + dot + rest
    found = _EXTENSION.fullmatch(name)
    if found and noun.name == "Asset":
        return f"extensionAttributes.extensionAttribute{found[1]}"
    # A member of an object, such as `costCenter`, is known by its own name as well.
    field = attributes(noun.name).get(folded(name))
    if field is not None and field.received_as:
        return field.received_as
    raise no_attribute(noun, source, name, path)


def _received(value: Any) -> Any:
    return None if value is None else read_json(value)
