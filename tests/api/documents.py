"""Documents made from the schema: any selection, with aliases, arguments, fragments, directives and type conditions."""

from __future__ import annotations

from random import Random
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    is_enum_type,
    is_interface_type,
    is_leaf_type,
    is_object_type,
    is_required_argument,
    is_union_type,
)

from schema.field.registry import NOUNS, FieldKind
from tests.api.lists import LISTS, SCHEMA

DEPTH_MAX = 4
# Name → type and value; a document declares those that it uses.
VARIABLES: dict[str, tuple[str, Any]] = {
    "yes": ("Boolean!", True),
    "no": ("Boolean!", False),
    "size": ("Int", 3),
    "text": ("String", "a"),
    "ids": ("[ID!]!", ["user_12", "asset_3", "group_7", "user_12", "asset_99999999"]),
}
VALUES = {name: value for name, (_, value) in VARIABLES.items()}
SEARCHES = ('"a"', "$text", '"has:id"', '"NOT a"', '"created_at:<5000days"')
# What a caller may get wrong and only the running operation finds.
WRONG = ("first: 0", "first: 1001", 'first: 1, after: "x"', 'first: 1, search: "nope:1"', "first: 1, where: {}")
AGGREGATES = ("assetsAggregate", "usersAggregate", "groupsAggregate")


class Documents:
    """Makes documents; the same chance makes the same ones.

    Args:
        chance: decides everything.
        is_wrong: puts mistakes into some arguments.
    """

    def __init__(self, chance: Random, *, is_wrong: bool = False) -> None:
        self._chance, self._is_wrong = chance, is_wrong
        self._fragments: list[str] = []
        self._aliases = 0

    def document(self) -> str:
        """Return a document with one or two lists, look-ups by id or counts at its root."""
        root = SCHEMA.query_type
        assert root is not None
        fields = [self._field(root, self._root(), 1) for _ in range(1 + self._often(0.3))]
        body = f"{{ {' '.join(fields)} }} {' '.join(self._fragments)}"
        used = [f"${name}: {type_}" for name, (type_, _) in VARIABLES.items() if f"${name}" in body]
        return f"query({', '.join(used)}) {body}" if used else body

    def _root(self) -> str:
        kinds = [list(LISTS.values()), ["node", "nodes"], AGGREGATES]
        return self._chance.choice(self._chance.choices(kinds, [8, 3, 1])[0])

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
        if self._often(0.1) and type_.interfaces:
            parts.append("... on Node { id key: id }")
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
        inner = depth + (named.name in NOUNS or is_union_type(named) or is_interface_type(named))
        if is_interface_type(named):
            known = SCHEMA.get_implementations(named).objects
            types = self._chance.sample(known, min(3, len(known)))
            # Those of `node` count as a level themselves.
            below = depth + 1 if named.name == "Node" else inner
            body = " ".join(f"... on {one.name} {{ {self._selection(one, below)} }}" for one in types)
            return f"{head} {{ id __typename {body} }}"
        if is_union_type(named):
            body = " ".join(f"... on {member.name} {{ {self._selection(member, inner)} }}" for member in named.types)
            return f"{head} {{ __typename {body} }}"
        assert is_object_type(named)
        return f"{head} {{ {self._selection(named, inner)} }}"

    def _arguments(self, named: str, field: GraphQLField) -> str:
        if "id" in field.args:
            return f'(id: "{self._chance.choice(["user", "asset", "group", "site"])}_{self._chance.randint(1, 300)}")'
        if "ids" in field.args:
            return "(ids: $ids)"
        if "groupBy" in field.args:
            return f'(search: "a", groupBy: [{{field: {self._chance.choice(["CREATED_AT", "UPDATED_AT"])}}}])'
        if "first" not in field.args:
            return ""
        if self._is_wrong and self._often(0.2):
            return f"({self._chance.choice(WRONG)})" if "where" in field.args else "(first: 0)"
        noun = self._noun(field)
        given = [f"{self._chance.choice(['first', 'last'])}: {self._chance.choice([1, 2, 3, 4, 6, '$size'])}"]
        if "where" in field.args and self._often(0.3):
            given.append(f"where: {self._where(noun)}")
        if "search" in field.args and self._often(0.2):
            # An entry of a log has no such keyword, and no object without a row.
            is_short = named in ("TaskRunLogEntryConnection", "DirectoryObjectConnection")
            known = SEARCHES[:-1] if is_short else SEARCHES
            given.append(f"search: {self._chance.choice(known)}")
        if "transitive" in field.args and self._often(0.3):
            given.append("transitive: $yes")
        if "orderBy" in field.args and self._often(0.5):
            given.append(f"orderBy: {self._order(noun)}")
        return f"({', '.join(given)})"

    @staticmethod
    def _noun(field: GraphQLField) -> str:
        """Return the noun whose rows a list's conditions are about."""
        where = field.args.get("where")
        return get_named_type(where.type).name.removesuffix("Where") if where else ""

    def _where(self, noun: str) -> str:
        fields = [field for field in NOUNS[noun].fields.values() if field.kind in (FieldKind.TEXT, FieldKind.BOOL)]
        field = self._chance.choice(fields)
        condition = (
            "{eq: true}" if field.kind is FieldKind.BOOL else self._chance.choice(['{contains: "a"}', "{isNull: true}"])
        )
        return f"{{not: {{{field.graphql_name}: {condition}}}}}"

    def _order(self, noun: str) -> str:
        enum = SCHEMA.type_map[f"{noun}OrderField"]
        assert is_enum_type(enum)
        field, direction = self._chance.choice(list(enum.values)), self._chance.choice(["ASC", "DESC"])
        nulls = self._chance.choice(["", ", nulls: FIRST", ", nulls: LAST"])
        return f"[{{field: {field}, direction: {direction}{nulls}}}]"
