"""Documents made by chance from the schema: most of them valid, the rest wrong in one of the ways callers are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLField,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_list_type,
    is_non_null_type,
    is_union_type,
)
from hypothesis import strategies as st

from schema import build_schema

SCHEMA = build_schema()._schema
DEPTH = 5
TEXTS = ['"a"', '""', '"%"', '"asset_1"', '"user_3"', '"\\u0000"', '"2026-11-23"', '"2026-11-23T04:05:06Z"', '"30d"']
NUMBERS = ["1", "2", "0", "-1", "1000", "1001", "2147483647", "2147483648", "9" * 40, "1.5", "1e400"]
ANYTHING = [*TEXTS, *NUMBERS, "true", "null", "ALPHA", "[]", "{}", "[null]", "[[1]]", '{ eq: "a" }', "$v"]


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw the text of a query."""
    maker = Maker(draw, is_wrong=draw(st.integers(0, 3)) == 0)
    selections = maker.selections(SCHEMA.query_type, DEPTH)
    if not maker.is_wrong:
        return f"query {'($v: Boolean! = true) ' if '$v' in selections else ''}{selections}"
    head = draw(st.sampled_from(["", "query Q", "query($v: Int) ", 'query($v: String = "a") ']))
    tail = draw(st.sampled_from(["", " fragment F on Asset { id }", " fragment G on User { ...G }", "}", " {"]))
    return f"{head}{selections}{tail}"


@dataclass(frozen=True)
class Maker:
    """Makes the parts of one document; `is_wrong` puts things where they do not belong."""

    draw: st.DrawFn
    is_wrong: bool

    def selections(self, parent: Any, depth: int) -> str:
        """Make a selection set of a type."""
        made = []
        if self._errs():
            made = [self.draw(st.sampled_from(["...F", "nothing", "... { __typename }", "a: __typename"]))]
        if is_union_type(parent):
            type_ = self.draw(st.sampled_from(parent.types))
            made += [f"... on {type_.name} {self.selections(type_, depth)}"]
        else:
            if is_interface_type(parent) and depth > 1:
                type_ = self.draw(st.sampled_from(SCHEMA.get_implementations(parent).objects))
                made += [f"... on {type_.name} {self.selections(type_, depth - 1)}"]
            fields = [item for item in parent.fields.items() if depth > 1 or not _is_composite(item[1])]
            chosen = st.lists(st.sampled_from(fields), min_size=1, max_size=4, unique_by=lambda item: item[0])
            made += [self._field(name, field, depth) for name, field in self.draw(chosen)] if fields else []
        return "{ " + " ".join([*made, "__typename"]) + " }"

    def _field(self, name: str, field: GraphQLField, depth: int) -> str:
        alias = self.draw(st.sampled_from(["", "", f"{name}_: "]))
        directive = self.draw(st.sampled_from(["", "", "", " @skip(if: false)", " @include(if: $v)"]))
        directive = " @a" if self._errs() else directive
        given = [
            f"{argument}: {self._value(declared.type, 3)}"
            for argument, declared in field.args.items()
            if is_non_null_type(declared.type) or self.draw(st.integers(0, 5)) == 0
        ]
        below = f" {self.selections(get_named_type(field.type), depth - 1)}" if _is_composite(field) else ""
        return f"{alias}{name}{'(' + ' '.join(given) + ')' if given else ''}{directive}{below}"

    def _value(self, type_: Any, depth: int) -> str:
        if self._errs():
            return self.draw(st.sampled_from(ANYTHING))
        type_ = get_nullable_type(type_)
        if is_list_type(type_):
            return "[" + " ".join(self._value(type_.of_type, depth) for _ in range(self.draw(st.integers(0, 2)))) + "]"
        if is_enum_type(type_):
            return str(self.draw(st.sampled_from(list(type_.values))))
        if is_input_object_type(type_):
            return self._object(type_, depth)
        texts = TEXTS[-3:] if type_.name == "DateTime" else TEXTS
        return self.draw(st.sampled_from({"Int": NUMBERS[:6], "Boolean": ["true", "false"]}.get(type_.name, texts)))

    def _object(self, type_: Any, depth: int) -> str:
        fields = list(type_.fields.items()) if depth else []
        chosen = {name for name, _ in self.draw(st.lists(st.sampled_from(fields), max_size=2))} if fields else set()
        chosen = set(list(chosen)[:1]) or {fields[0][0]} if type_.is_one_of else chosen
        wanted = [(name, f) for name, f in type_.fields.items() if name in chosen or is_non_null_type(f.type)]
        return "{ " + " ".join(f"{name}: {self._value(f.type, depth - 1)}" for name, f in wanted) + " }"

    def _errs(self) -> bool:
        return self.is_wrong and self.draw(st.integers(0, 9)) == 0


def _is_composite(field: GraphQLField) -> bool:
    return is_composite_type(get_named_type(field.type))
