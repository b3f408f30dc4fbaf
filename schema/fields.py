"""One declaration a field: what stands in a noun's class feeds its GraphQL field, its filters and its order.

A noun is an ordinary Strawberry class, decorated with `noun(...)`, whose attributes are made here: `field(column)`,
`one(...)` for a relation to one row, `many(...)` for a relation to a connection. The registry collects them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any, Self, TypeVar, dataclass_transform

import strawberry
from sqlalchemy import Boolean, Column, ColumnElement, Integer, RowMapping, Select, Table, select, true
from sqlalchemy.types import TypeEngine
from strawberry.utils.str_converters import to_camel_case

from schema.access import Principal
from schema.ids import encode_id
from sync.store.column import Json, Time

T = TypeVar("T")
_KEY = "rollcall"
_RELATION = "relation"


class Kind(enum.Enum):
    """What a field's values are, which settles its operators."""

    ID = "id"
    TEXT = "text"
    BOOL = "bool"
    INT = "int"
    TIME = "time"
    ENUM = "enum"
    LIST = "list"


@dataclass(frozen=True)
class Field:
    """A field that is a column: it can be selected, filtered and, unless it is a list, ordered by."""

    name: str
    column: Column[Any]
    kind: Kind
    enum: type[enum.Enum] | None
    description: str
    is_filterable: bool = True

    @property
    def graphql_name(self) -> str:
        """The name callers use."""
        return to_camel_case(self.name)

    @property
    def is_orderable(self) -> bool:
        """Whether rows can be put in order by it."""
        return self.is_filterable and self.kind is not Kind.LIST


@dataclass(frozen=True)
class Relation:
    """A relation to rows of a noun, which is named, being declared later: `pairs` selects (parent, target) keys."""

    name: str
    target: str
    pairs: Callable[[], Select[Any]]


@dataclass
class Noun:
    """An inventory: its GraphQL type, the table behind it, and who may see which rows."""

    name: str
    type: type[Any]
    prefix: str
    table: Table
    # The rows that exist for callers: not tombstones.
    visible: ColumnElement[bool]
    # The rows that a caller may see: those of its organization.
    scope: Callable[[Principal], ColumnElement[bool]]
    fields: dict[str, Field] = dataclass_field(default_factory=dict)
    relations: dict[str, Relation] = dataclass_field(default_factory=dict)

    @property
    def key(self) -> Column[int]:
        """The column that ids are made from."""
        return self.table.c.id


NOUNS: dict[str, Noun] = {}


def identifier() -> Any:
    """Declare the `id` field: opaque, stable across syncs and restarts."""

    def resolve(root: Any) -> strawberry.ID:
        return strawberry.ID(encode_id(NOUNS[type(root).__name__].prefix, root.key))

    return strawberry.field(resolver=resolve, description="Opaque and stable across syncs and restarts.")


@strawberry.interface(name="Node", description="Anything that has an id.")
class Record:
    """The base of every noun's class: one row, with its key; callers know it as `Node`."""

    key: strawberry.Private[int]
    id: strawberry.ID = identifier()

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """Make the record of a row whose columns are labelled with the class's attribute names."""
        record = object.__new__(cls)
        record.__dict__.update(row)
        return record


def field(column: Column[Any], description: str, *, enum: type[enum.Enum] | None = None, where: bool = True) -> Any:
    """Declare a field that is a column.

    Args:
        column: of the noun's own table; a Graph property behind it is named in the description.
        description: a sentence for the reader of the schema.
        enum: the type of the values, if it is closed.
        where: False keeps it out of filters and orders.
    """
    if prop := column.info.get("graph"):
        description = f"{description} Graph property: `{prop}`."
    return strawberry.field(description=description, metadata={_KEY: (column, enum, where)})


def referring(target: str, key: str) -> dict[str, Any]:
    """Return the metadata of a relation to the one row whose key lies in the parent's column `key`."""
    return {_RELATION: (target, key)}


def kind_of(column: Column[Any], enum_type: type[enum.Enum] | None) -> Kind:
    """Read a field's kind from the type of its column."""
    type_: TypeEngine[Any] = column.type
    if enum_type is not None:
        return Kind.ENUM
    if isinstance(type_, Boolean):
        return Kind.BOOL
    if type_ is Time:
        return Kind.TIME
    if type_ is Json:
        return Kind.LIST
    return Kind.INT if isinstance(type_, Integer) else Kind.TEXT


@dataclass_transform(field_specifiers=(field, identifier))
def noun(
    table: Table,
    prefix: str,
    *,
    scope: Callable[[Principal], ColumnElement[bool]] | None = None,
    visible: ColumnElement[bool] | None = None,
    description: str,
) -> Callable[[type[T]], type[T]]:
    """Make a class the GraphQL type of a table's rows and enter it in the registry.

    Args:
        table: where the rows lie.
        prefix: what ids of this noun begin with.
        scope: the rows a caller may see; by default those that carry the id of its organization.
        visible: the rows callers may see at all; by default those without `deleted_at`.
    """

    def register(cls: type[T]) -> type[T]:
        made = strawberry.type(cls, description=description)
        entry = Noun(
            cls.__name__,
            made,
            prefix,
            table,
            visible if visible is not None else (table.c.deleted_at.is_(None) if "deleted_at" in table.c else true()),
            scope or (lambda principal: table.c.organization_id == principal.organization_id),
        )
        entry.fields["id"] = Field("id", table.c.id, Kind.ID, None, "The object's id.")
        for declared in made.__strawberry_definition__.fields:  # type: ignore[attr-defined]
            if _KEY in declared.metadata:
                column, enum_type, where = declared.metadata[_KEY]
                name, kind = declared.python_name, kind_of(column, enum_type)
                entry.fields[name] = Field(name, column, kind, enum_type, declared.description or "", where)
            if found := declared.metadata.get(_RELATION):
                entry.relations[declared.python_name] = replace(_relation(table, found), name=declared.python_name)
        NOUNS[cls.__name__] = entry
        return made

    return register


def _relation(table: Table, declared: Relation | tuple[str, str]) -> Relation:
    if isinstance(declared, Relation):
        return declared
    target, key = declared
    return Relation("", target, lambda: select(table.c.id, table.c[key]))
