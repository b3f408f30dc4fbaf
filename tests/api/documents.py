"""Documents made from the schema: any selection, with aliases, arguments, fragments, directives and type conditions."""

from __future__ import annotations

from random import Random

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    is_enum_type,
    is_leaf_type,
    is_object_type,
    is_required_argument,
    is_union_type,
)

from schema.fields import NOUNS, Kind
from tests.api.lists import LISTS, SCHEMA

DEPTH_MAX = 4
FLAGS = {"yes": True, "no": False}
HEADER = "query($yes: Boolean!, $no: Boolean!)"


class Documents:
    """Makes documents; the same chance makes the same ones."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._fragments: list[str] = []
        self._aliases = 0

    def document(self) -> str:
        """Return a document with one or two lists at its root."""
        root = SCHEMA.query_type
        assert root is not None
        fields = [self._field(root, self._chance.choice(list(LISTS.values())), 1) for _ in range(1 + self._often(0.3))]
        return f"{HEADER} {{ {' '.join(fields)} }} {' '.join(self._fragments)}"

    def _often(self, part: float) -> bool:
        return self._chance.random() < part

    def _selection(self, type_: GraphQLObjectType, depth: int) -> str:
        names = [name for name, field in type_.fields.items() if self._fits(field, depth)]
        chosen = self._chance.sample(names, min(len(names), self._chance.randint(1, 4)))
        parts = [self._field(type_, name, depth) for name in chosen]
        if self._often(0.2):
            parts.append("__typename")
        if self._often(0.15):
            parts.append(f"... on {type_.name} {{ {self._field(type_, self._chance.choice(names), depth)} }}")
        if self._often(0.15):
            name = f"F{len(self._fragments)}"
            # The place is taken before what is inside it is made.
            self._fragments.append("")
            body = self._field(type_, self._chance.choice(names), depth)
            self._fragments[int(name[1:])] = f"fragment {name} on {type_.name} {{ {body} }}"
            parts.append(f"...{name}{self._directive()}")
        return " ".join(parts)

    def _fits(self, field: GraphQLField, depth: int) -> bool:
        if any(is_required_argument(argument) for argument in field.args.values()):
            return False
        return depth < DEPTH_MAX or is_leaf_type(get_named_type(field.type))

    def _directive(self) -> str:
        if not self._often(0.15):
            return ""
        return f" @{self._chance.choice(['skip', 'include'])}(if: {self._chance.choice(['$yes', '$no', 'true'])})"

    def _field(self, type_: GraphQLObjectType, name: str, depth: int) -> str:
        self._aliases += 1
        field = type_.fields[name]
        named = get_named_type(field.type)
        head = f"a{self._aliases}: {name}{self._arguments(named.name, field)}{self._directive()}"
        if is_leaf_type(named):
            return head
        # Connections and edges lead to rows; only the rows count as a level.
        inner = depth + (named.name in NOUNS or is_union_type(named))
        if is_union_type(named):
            body = " ".join(f"... on {member.name} {{ {self._selection(member, inner)} }}" for member in named.types)
            return f"{head} {{ __typename {body} }}"
        assert is_object_type(named)
        return f"{head} {{ {self._selection(named, inner)} }}"

    def _arguments(self, named: str, field: GraphQLField) -> str:
        if "first" not in field.args:
            return ""
        given = [f"{self._chance.choice(['first', 'last'])}: {self._chance.randint(1, 6)}"]
        if "where" in field.args and self._often(0.3):
            given.append(f"where: {self._where(named.removesuffix('Connection'))}")
        if "orderBy" in field.args and self._often(0.5):
            given.append(f"orderBy: {self._order(named.removesuffix('Connection'))}")
        return f"({', '.join(given)})"

    def _where(self, noun: str) -> str:
        fields = [field for field in NOUNS[noun].fields.values() if field.kind in (Kind.TEXT, Kind.BOOL)]
        field = self._chance.choice(fields)
        condition = (
            "{eq: true}" if field.kind is Kind.BOOL else self._chance.choice(['{contains: "a"}', "{isNull: true}"])
        )
        return f"{{not: {{{field.graphql_name}: {condition}}}}}"

    def _order(self, noun: str) -> str:
        enum = SCHEMA.type_map[f"{noun}OrderField"]
        assert is_enum_type(enum)
        field, direction = self._chance.choice(list(enum.values)), self._chance.choice(["ASC", "DESC"])
        nulls = self._chance.choice(["", ", nulls: FIRST", ", nulls: LAST"])
        return f"[{{field: {field}, direction: {direction}{nulls}}}]"
