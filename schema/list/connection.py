"""Lists as connections: generates their types and arguments, and reads pages."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Optional

import strawberry
from sqlalchemy import ColumnElement, RowMapping
from strawberry import UNSET
from strawberry.types import Info

from schema.context import Context
from schema.field.arguments import (
    ORDER_BY,
    PAGING,
    TRANSITIVE,
    accept,
    argument,
    given,
)
from schema.field.registry import NOUNS, Field, Noun, ending, referring, related
from schema.field.resolution import FORM, Every, Linked, Many, One, Pairs
from schema.field.rows import row_columns
from schema.field.sort_key import sorting_of
from schema.filter.inputs import where_input
from schema.filter.where import Viewpoint
from schema.generated import get, named, publish
from schema.list.listing import Listing, ParentList, count_rows, nested, read_rows
from schema.list.narrowing import UnknownTerms, narrowed, narrowing, unknown_of, whole_narrowing
from schema.list.paging import SortKey, Window, window
from sync.errors import BadInput

ORDER_KEYS_MAX = 5


# Values of omitted arguments.
DEFAULTS: dict[str, Any] = {"transitive": False, "across_sites": False, "unknown_terms": UnknownTerms.ERROR}
UNKNOWN = "The terms of `search` that nothing here can answer, as typed; they find nothing."


@strawberry.enum(description="Which way to sort.")
class Direction(enum.Enum):
    ASC = strawberry.enum_value(
        "ASC", description="Smallest, earliest or first letter first, in any letter case and without accents."
    )
    DESC = strawberry.enum_value("DESC", description="Greatest, latest or last letter first.")


@strawberry.enum(description="Where missing values are sorted.")
class Nulls(enum.Enum):
    FIRST = strawberry.enum_value("FIRST", description="Before all others.")
    LAST = strawberry.enum_value("LAST", description="After all others.")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether rows follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether rows precede this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first row; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last row; null on an empty page.")


def generate(noun: Noun) -> None:
    """Generate a noun's connection, edge, `where` and `orderBy` types."""
    publish(f"{noun.name}Where", where_input(noun))
    publish(f"{noun.name}Order", _order_input(noun))
    generate_connection(noun.name, noun.type)


def generate_connection(name: str, node: Any) -> None:
    """Generate a connection and its edge."""
    publish(f"{name}Edge", _edge_type(name, node))
    publish(f"{name}Connection", _connection_type(name, node))


def _edge_type(name: str, node: Any) -> Any:
    body = {
        "__annotations__": {"cursor": str, "node": node},
        "cursor": strawberry.field(description="Where this row is in the list."),
        "node": strawberry.field(description="The row."),
    }
    return strawberry.type(type(f"{name}Edge", (), body), description=f"A row of a list of {name}.")


def _connection_type(name: str, node: Any) -> Any:
    async def total_count(root: Any, info: Info[Context, None]) -> int:
        return await count_rows(info.context, root.listed)

    def unknown_terms(root: Any) -> list[str]:
        return list(root.listed.listing.unknown)

    body = {
        "__annotations__": {
            "edges": list[named(f"{name}Edge")],  # type: ignore[misc]
            "nodes": list[node],
            "page_info": PageInfo,
            "unknown_terms": list[str],
            "listed": strawberry.Private[ParentList],
        },
        "edges": strawberry.field(description="The rows with their cursors."),
        "nodes": strawberry.field(description="The rows."),
        "page_info": strawberry.field(description="Where the page lies in the list."),
        "total_count": strawberry.field(
            resolver=total_count, description="The number of rows of the whole list; costs a query only when selected."
        ),
        "unknown_terms": strawberry.field(resolver=unknown_terms, description=UNKNOWN),
    }
    return strawberry.type(type(f"{name}Connection", (), body), description=f"A page of a list of {name}.")


def _order_input(noun: Noun) -> Any:
    members = {field.graphql_name: field for field in noun.fields.values() if field.is_orderable}
    fields = enum.Enum(  # type: ignore[misc]
        f"{noun.name}OrderField",
        {
            _screaming(field.name): strawberry.enum_value(field.name, description=field.description)
            for field in members.values()
        },
    )
    order_field = strawberry.enum(fields, description=f"What a list of {noun.name} can be sorted by.")
    body = {
        "__annotations__": {"field": order_field, "direction": Direction, "nulls": Optional[Nulls]},  # noqa: UP045
        "direction": strawberry.field(default=Direction.ASC, description="The direction; ascending by default."),
        "nulls": strawberry.field(
            default=UNSET, description="Where missing values go; by default they count as the smallest value."
        ),
        "field": strawberry.field(description="What to sort by."),
    }
    return strawberry.input(type(f"{noun.name}Order", (), body), description=f"How to sort a list of {noun.name}.")


def _screaming(name: str) -> str:
    return name.upper()


def many(
    target: str,
    description: str,
    pairs: Pairs | None = None,
    *,
    transitive: Pairs | None = None,
    others: tuple[str, Pairs] | None = None,
) -> Any:
    """Declare a field that lists rows of a noun: all of the caller's, or those related to the parent by `pairs`.

    Args:
        target: the noun's name.
        description: the field's description in the schema.
        pairs: selects (parent, target) keys of the relation.
        transitive: selects the same keys, also through other objects; adds the argument `transitive`.
        others: only for a list of users; see `_crossed`.
    """
    form = Many(target, pairs, transitive)

    async def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        context, noun = info.context, NOUNS[target]
        place = (info.path.typename, info.field_name)
        make = partial(listing_of, form, context.viewpoint, row_columns(noun), place, arguments)
        listing = await context.prepared(info, arguments, make)

        async def records(page: Sequence[RowMapping]) -> list[Any]:
            return [noun.type.of(row) for row in page]

        listed = ParentList(listing, context.principal, None if pairs is None else root.key, records)
        return await read_page(context, listed, arguments)

    order_by: Any = Optional[list[named(f"{target}Order")]]  # type: ignore[misc]  # noqa: UP045
    narrowed_by = whole_narrowing(target) if pairs is None else narrowing(target)
    arguments = PAGING | narrowed_by | {"order_by": argument(order_by, ORDER_BY)}
    if transitive is not None:
        arguments["transitive"] = argument(bool, TRANSITIVE)
    accept(resolve, named(f"{target}Connection"), arguments, DEFAULTS)
    metadata = {FORM: form} | (_crossed(target, pairs, others) if pairs else {})
    return strawberry.field(resolver=resolve, description=description, metadata=metadata)


def _crossed(target: str, pairs: Pairs, others: tuple[str, Pairs] | None, **more: Any) -> dict[str, Any]:
    """Return the metadata of a relation for filters.

    Args:
        target: the noun's name.
        pairs: selects (parent, target) keys.
        others: the relation to ends that are not rows of the target, and the selection of all existing ends. Filters
            then check all ends, so that a row with only other ends does not count as a row without any.
        more: see `Relation`.
    """
    if others is None:
        return related(target, pairs, **more)
    name, there = others
    return related(target, pairs, others=name, **more) | ending(there)


def window_of(arguments: Mapping[str, Any]) -> Window:
    """Read the paging arguments.

    Raises:
        BadInput: the arguments do not fit together.
    """
    return window(*(given(arguments.get(name)) for name in ("first", "last", "after", "before")))


def listing_of(
    form: Many,
    viewpoint: Viewpoint,
    columns: Sequence[ColumnElement[Any]],
    place: Sequence[object],
    arguments: Mapping[str, Any],
) -> Listing:
    """Return the list for a connection's arguments other than those of paging.

    Raises:
        BadInput: `where`, `search` or `orderBy` cannot be used.
        Forbidden: a condition uses a field that the caller may not read.
    """
    noun, is_transitive = NOUNS[form.target], bool(arguments.get("transitive"))
    across = ["acrossSites"] if arguments.get("across_sites") else []
    rows, expr, found = narrowed(viewpoint, noun, arguments)
    listing = Listing(
        name=noun.name,
        place=(*place, *across, is_transitive, repr(expr)),
        rows=rows,
        key=noun.key,
        columns=columns,
        keys=sort_keys(noun, arguments.get("order_by", UNSET)),
        ways=found,
        unknown=unknown_of(noun, arguments),
    )
    pairs = form.transitive if is_transitive else form.pairs
    return listing if pairs is None else nested(listing, pairs, noun)


def sort_keys(noun: Noun, order_by: Any) -> tuple[SortKey, ...]:
    """Return the sort keys of `orderBy`; the id is always among them, so that the order is total.

    Raises:
        BadInput: `orderBy` has too many keys.
    """
    orders = given(order_by) or []
    if len(orders) > ORDER_KEYS_MAX:
        raise BadInput(f"orderBy has {len(orders)} keys; at most {ORDER_KEYS_MAX} are allowed.", path="orderBy")
    keys = [key for order in orders for key in _sort_keys(noun.fields[order.field.value], order)]
    if not any(key.field == "key" for key in keys):
        keys.append(SortKey("key", noun.key, False, False))
    return tuple(keys)


def _sort_keys(field: Field, order: Any) -> list[SortKey]:
    """Return the sort keys of one order: texts and versions sort by a form of the value, then by the value itself."""
    is_descending = order.direction is Direction.DESC
    nulls_first = not is_descending if order.nulls in (UNSET, None) else order.nulls is Nulls.FIRST
    itself = SortKey("key" if field.name == "id" else field.name, field.column, is_descending, nulls_first)
    column, form = sorting_of(field)
    return [itself] if form is None else [replace(itself, column=column, form=form), itself]


async def read_page(context: Context, listed: ParentList, arguments: Mapping[str, Any]) -> Any:
    """Read one page of a list and return its connection.

    Raises:
        BadInput, BadCursor: the paging arguments cannot be used.
    """
    name, codec = listed.listing.name, listed.codec(context)
    page = await read_rows(context, listed, window_of(arguments), codec)
    cursors = [codec.encode([key.value_of(row) for key in listed.listing.keys]) for row in page.rows]
    nodes = await listed.records(page.rows)
    edge = get(f"{name}Edge")
    return get(f"{name}Connection")(
        edges=[edge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
        listed=listed,
    )


def one(target: str, key: str, description: str, *, is_required: bool = False) -> Any:
    """Declare a field that is one row of a noun; the parent's attribute `key` holds the row's key."""

    async def resolve(root: Any, info: Any) -> Any:
        return await info.context.load(target, getattr(root, key))

    type_ = named(target, "schema.types")
    resolve.__annotations__ = {"info": Info, "return": type_ if is_required else Optional[type_]}  # noqa: UP045
    metadata = {FORM: One(target, key)} | referring(target, key)
    return strawberry.field(resolver=resolve, description=description, metadata=metadata)


def linked(target: str, description: str, pairs: Pairs, *, others: tuple[str, Pairs] | None = None) -> Any:
    """Declare a field that is the single row of a noun to which `pairs` leads, or null; for `others` see `_crossed`."""
    form = Linked(target, pairs)

    async def resolve(root: Any, info: Any) -> Any:
        return next(reversed(await info.context.follow(form, root.key)), None)

    resolve.__annotations__ = {"info": Info, "return": Optional[named(target, "schema.types")]}  # noqa: UP045
    metadata = {FORM: form} | _crossed(target, pairs, others, is_many=False)
    return strawberry.field(resolver=resolve, description=description, metadata=metadata)


def every(
    target: str,
    description: str,
    pairs: Pairs,
    *,
    expected: int,
    source: tuple[str, str] | None = None,
    is_crossed: bool = True,
) -> Any:
    """Declare a field that is a plain list of the rows of a noun to which `pairs` leads, by key.

    Args:
        target: the noun's name.
        description: the field's description in the schema.
        pairs: selects (parent, target) keys of the relation.
        expected: the usual most rows of a parent, which is the list's cost.
        source: the source of the parent's records; see `Relation`.
        is_crossed: whether filters can use the relation; impossible for pairs that are walked from their parents.
    """
    form = Every(target, pairs, expected)

    async def resolve(root: Any, info: Any) -> Any:
        return await info.context.follow(form, root.key)

    resolve.__annotations__ = {"info": Info, "return": list[named(target, "schema.types")]}  # type: ignore[misc]
    metadata = {FORM: form} | (related(target, pairs, source=source) if is_crossed else {})
    return strawberry.field(resolver=resolve, description=description, metadata=metadata)
