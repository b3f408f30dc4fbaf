"""One declaration a field: what stands in a noun's class feeds its GraphQL field, its filters and its order.

A noun is an ordinary Strawberry class, decorated with `noun(...)`, whose attributes are made here: `field(column)`,
and in schema/list/connection.py: `one(...)` for a relation to one row, `many(...)` for one to a connection. The
registry collects them; types, `where` inputs, `orderBy` enums, search keywords and their documentation are generated
from it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any, Self, TypeVar, dataclass_transform

import strawberry
from sqlalchemy import Boolean, Column, ColumnElement, Integer, RowMapping, Select, Table, select, true
from sqlalchemy.types import TypeEngine
from strawberry.utils.str_converters import to_camel_case

from schema.field.ids import encode_id
from schema.field.scope import Scope
from sync.store.tables.column import Json, Time

T = TypeVar("T")
_FIELD, _RELATION, _ENDS = "field", "relation", "ends"


class FieldKind(enum.Enum):
    """What a field's values are, which settles its operators."""

    ID = "id"
    TEXT = "text"
    VERSION = "version"
    BOOL = "bool"
    INT = "int"
    TIME = "time"
    ENUM = "enum"
    LIST = "list"
    ADDRESSES = "addresses"
    NUMBERS = "numbers"
    # The sources in a bit mask.
    SOURCES = "sources"


ANY_MEMBER = "*"
# Values are compared as texts, in which % and _ are wildcards of a search.
TEXTS = {FieldKind.TEXT, FieldKind.LIST, FieldKind.VERSION, FieldKind.ADDRESSES}
LISTS = {FieldKind.LIST, FieldKind.ADDRESSES, FieldKind.NUMBERS, FieldKind.SOURCES}


@dataclass(frozen=True)
class Field:
    """A field that is a column: it can be selected, filtered and, unless it is a list, ordered by.

    Args:
        name: the attribute's.
        column: of the noun's own table.
        kind: settles the operators.
        enum: the type of the values, if it is closed.
        description: a sentence.
        is_filterable: False keeps it out of filters, orders and searches.
        keyword: its name in search texts.
        aliases: other names of it there.
        is_text: whether a word without a keyword is looked for here.
        element: of a list of objects: the member that is compared, or any of them (`ANY_MEMBER`).
        names: of a list: what else its values are called, by value.
        only: of a list of objects: the member, and its value, of those that count.
        received_as: where it lies in the received JSON, of what has no column.
    """

    name: str
    column: ColumnElement[Any]
    kind: FieldKind
    enum: type[enum.Enum] | None
    description: str
    is_filterable: bool = True
    keyword: str = ""
    aliases: tuple[str, ...] = ()
    is_text: bool = False
    element: str | None = None
    names: Mapping[str, tuple[str, ...]] | None = dataclass_field(default=None, compare=False)
    only: tuple[str, str] | None = None
    received_as: str | None = None

    @property
    def graphql_name(self) -> str:
        """The name callers use."""
        return to_camel_case(self.name)

    @property
    def is_orderable(self) -> bool:
        """Whether rows can be put in order by it."""
        return self.is_filterable and self.kind not in LISTS


@dataclass(frozen=True)
class Relation:
    """A relation to rows of another noun, which is named, being declared later.

    Args:
        name: the attribute's.
        target: the noun's name.
        pairs: selects (parent, target) keys.
        description: a sentence.
        is_many: False if a parent has one at most.
        column: of the parent, holding the target's key; only if the relation is no more than that.
        source: the source whose record of the parent the target is, and what that source calls it.
        others: the relation that leads to the other ends of the same edges, those that are no rows of the target.
    """

    name: str
    target: str
    pairs: Callable[[], Select[Any]]
    description: str = ""
    is_many: bool = True
    column: Column[Any] | None = None
    source: tuple[str, str] | None = None
    others: str | None = None

    @property
    def singular(self) -> str:
        """What a search calls one of the rows it leads to."""
        return self.name.removesuffix("s") if self.is_many else self.name

    @property
    def graphql_name(self) -> str:
        """The name callers use."""
        return to_camel_case(self.name)


@dataclass(frozen=True)
class Ends:
    """A relation to rows of several nouns: what it leads to can only be counted.

    Args:
        name: the attribute's; a relation of that name leads to those of its one target.
        pairs: selects (parent, end), only of ends that are there.
        description: a sentence.
    """

    name: str
    pairs: Callable[[], Select[Any]]
    description: str = ""

    @property
    def graphql_name(self) -> str:
        """The name callers use."""
        return to_camel_case(self.name)


@dataclass
class Noun:
    """An inventory: its GraphQL type, the table behind it, and who may see which rows."""

    name: str
    type: type[Any]
    prefix: str
    table: Table
    # The rows that exist for callers: not tombstones.
    visible: ColumnElement[bool]
    # The rows that a caller may see.
    scope: Scope
    # Of things that several sites list: the one row that stands for all; None if there are none such.
    stands_for_all: ColumnElement[bool] | None = None
    fields: dict[str, Field] = dataclass_field(default_factory=dict)
    # Conditions without a field of the same shape.
    conditions: dict[str, Field] = dataclass_field(default_factory=dict)
    relations: dict[str, Relation] = dataclass_field(default_factory=dict)
    ends: dict[str, Ends] = dataclass_field(default_factory=dict)

    def filterable(self) -> dict[str, Field]:
        """Return everything that filters can compare."""
        return {name: field for name, field in (self.fields | self.conditions).items() if field.is_filterable}

    def condition(self, name: str) -> Field:
        """Return what a filter compares under this name."""
        return self.fields.get(name) or self.conditions[name]

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


def field(
    column: ColumnElement[Any],
    description: str,
    *,
    enum: type[enum.Enum] | None = None,
    kind: FieldKind | None = None,
    where: bool = True,
    keyword: str = "",
    aliases: tuple[str, ...] = (),
    text: bool = False,
) -> Any:
    """Declare a field that is a column.

    Args:
        column: of the noun's own table; a Graph property behind it is named in the description.
        description: a sentence for the reader of the schema.
        enum: the type of the values, if it is closed.
        kind: of the values, where the column's type does not tell.
        where: False keeps it out of filters, orders and searches.
        keyword: its name in search texts; by default the attribute's.
        aliases: other names of it there; the Graph property's is always one.
        text: whether a word without a keyword is looked for here.
    """
    if prop := getattr(column, "info", {}).get("graph"):
        description = f"{description} Graph property: `{prop}`."
        aliases = (*aliases, prop)
    made = Field("", column, kind or kind_of(column, enum), enum, description, where, keyword, aliases, text)
    return strawberry.field(description=description, metadata={_FIELD: made})


def condition(
    column: ColumnElement[Any], kind: FieldKind, description: str, *, keyword: str = "", **more: Any
) -> Field:
    """Declare what can be filtered by although no field shows it like this; see `noun`, and `Field` for `more`."""
    return Field("", column, kind, None, description, keyword=keyword, **more)


def related(target: str, pairs: Callable[[], Select[Any]], **more: Any) -> dict[str, Any]:
    """Return the metadata that makes a field a relation, so that filters and searches can cross it."""
    return {_RELATION: Relation("", target, pairs, **more)}


def referring(target: str, key: str) -> dict[str, Any]:
    """Return the metadata of a relation to the one row whose key lies in the parent's column `key`."""
    return {_RELATION: (target, key)}


def ending(pairs: Callable[[], Select[Any]]) -> dict[str, Any]:
    """Return the metadata that makes a field a relation to rows of several nouns; see `Ends`."""
    return {_ENDS: Ends("", pairs)}


def kind_of(column: ColumnElement[Any], enum_type: type[enum.Enum] | None) -> FieldKind:
    """Read a field's kind from the type of its column."""
    type_: TypeEngine[Any] = column.type
    if enum_type is not None:
        return FieldKind.ENUM
    if isinstance(type_, Boolean):
        return FieldKind.BOOL
    if type_ is Time:
        return FieldKind.TIME
    if type_ is Json:
        return FieldKind.LIST
    return FieldKind.INT if isinstance(type_, Integer) else FieldKind.TEXT


@dataclass_transform(field_specifiers=(field, identifier))
def noun(
    table: Table,
    prefix: str,
    *,
    scope: Scope,
    visible: ColumnElement[bool] | None = None,
    conditions: Mapping[str, Field] | None = None,
    stands_for_all: ColumnElement[bool] | None = None,
    description: str,
) -> Callable[[type[T]], type[T]]:
    """Make a class the GraphQL type of a table's rows and enter it in the registry.

    Args:
        table: where the rows lie.
        prefix: what ids of this noun begin with.
        scope: the rows a caller may see (schema/field/scope.py).
        visible: the rows callers may see at all; by default those without `deleted_at`.
        conditions: what can be filtered by besides the fields, by name.
        stands_for_all: of things that several sites list, the one row of each (schema/list/across_sites.py).
    """

    def register(cls: type[T]) -> type[T]:
        made = strawberry.type(cls, description=description)
        entry = Noun(
            cls.__name__,
            made,
            prefix,
            table,
            visible if visible is not None else (table.c.deleted_at.is_(None) if "deleted_at" in table.c else true()),
            scope,
            stands_for_all,
        )
        entry.fields["id"] = Field("id", table.c.id, FieldKind.ID, None, "The object's id.", keyword="id")
        for declared in made.__strawberry_definition__.fields:  # type: ignore[attr-defined]
            name = declared.python_name
            if found := declared.metadata.get(_FIELD):
                entry.fields[name] = _named(name, found)
            if found := declared.metadata.get(_RELATION):
                relation = _relation(table, found)
                entry.relations[name] = replace(relation, name=name, description=declared.description or "")
            if found := declared.metadata.get(_ENDS):
                entry.ends[name] = replace(found, name=name, description=declared.description or "")
        entry.conditions = {name: _named(name, found) for name, found in (conditions or {}).items()}
        NOUNS[cls.__name__] = entry
        return made

    return register


def _named(name: str, field: Field) -> Field:
    return replace(field, name=name, keyword=field.keyword or name)


def _relation(table: Table, declared: Relation | tuple[str, str]) -> Relation:
    if isinstance(declared, Relation):
        return declared
    target, key = declared
    column = table.c[key]
    return Relation("", target, lambda: select(table.c.id, column), is_many=False, column=column)
