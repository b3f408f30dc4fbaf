"""Measures the size of a document with its fragments expanded, without expanding one that is too large.

Two linear passes. The first measures each operation and fragment once, however often it is spread. Only if the
document is within the limits, the second walks it in full and counts how often each response path is selected.
Neither uses the schema, because the document is not validated yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from schema.limit.limits import Limits
from schema.limit.refusal import exceeded

INTROSPECTION = ("__schema", "__type")
# Fields that wrap the rows of a list; they add no depth.
WRAPPERS = frozenset({"edges", "node", "nodes"})


def check_extent(limits: Limits, document: DocumentNode) -> Sequence[GraphQLError]:
    """Return the limits that a parsed document exceeds; if there are none, it may be validated."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) > limits.operations:
        return [exceeded("operations", limits, len(operations), operations[limits.operations])]
    try:
        fragments = _fragments(document)
        errors = _Measure(limits, fragments).check(operations)
    except GraphQLError as error:
        return [error]
    return errors or [error for node in operations for error in _Paths(fragments).check(node, limits)]


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    found: dict[str, FragmentDefinitionNode] = {}
    for node in document.definitions:
        if isinstance(node, FragmentDefinitionNode):
            name = node.name.value
            if name in found:
                # Otherwise we could measure a small fragment and validate a large one of the same name.
                raise GraphQLError(f"There can be only one fragment named '{name}'.", [found[name].name, node.name])
            found[name] = node
    return found


@dataclass(frozen=True, slots=True)
class _Extent:
    """The size of a selection set with its fragments expanded."""

    fields: int = 0
    depth: int = 0
    introspection_depth: int = 0
    nesting: int = 0


class _Measure:
    def __init__(self, limits: Limits, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self.limits, self.fragments = limits, fragments
        self.aliases = self.directives = 0
        # None marks a fragment that is being measured: meeting it again is a cycle.
        self.measured: dict[str, _Extent | None] = {}

    def check(self, operations: Sequence[OperationDefinitionNode]) -> list[GraphQLError]:
        """Measure the whole document and return the limits that it exceeds."""
        extents = [self._definition(node) for node in operations]
        # Measure unused fragments, too: validation walks them.
        alone = [self._fragment(node, name, 1).fields for name, node in self.fragments.items()]
        found = {
            "aliases": self.aliases,
            "directives": self.directives,
            "depth": max((extent.depth for extent in extents), default=0),
            "introspection_depth": max((extent.introspection_depth for extent in extents), default=0),
            "fields": max(sum(extent.fields for extent in extents), max(alone, default=0)),
        }
        return [
            exceeded(which, self.limits, actual)
            for which, actual in found.items()
            if actual > getattr(self.limits, which)
        ]

    def _definition(self, node: OperationDefinitionNode) -> _Extent:
        self.directives += len(node.directives or ())
        self.directives += sum(len(variable.directives or ()) for variable in node.variable_definitions or ())
        return self._selections(node.selection_set, 1)

    def _selections(self, node: SelectionSetNode, nesting: int) -> _Extent:
        if nesting > self.limits.nesting:
            # Refuse here and not at the end, so that no document can exhaust the stack.
            raise exceeded("nesting", self.limits, nesting, node)
        fields = depth = introspection_depth = inner = 0
        extent = _Extent()
        for selection in node.selections:
            self.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                extent = self._field(selection, nesting)
            elif isinstance(selection, InlineFragmentNode):
                extent = self._selections(selection.selection_set, nesting + 1)
            elif isinstance(selection, FragmentSpreadNode):
                extent = self._spread(selection, nesting + 1)
            fields += extent.fields
            depth = max(depth, extent.depth)
            introspection_depth = max(introspection_depth, extent.introspection_depth)
            inner = max(inner, extent.nesting)
        return _Extent(fields, depth, introspection_depth, inner + 1)

    def _field(self, node: FieldNode, nesting: int) -> _Extent:
        self.aliases += node.alias is not None
        below = self._selections(node.selection_set, nesting + 1) if node.selection_set else _Extent()
        if node.name.value in INTROSPECTION:
            return _Extent(below.fields + 1, 0, below.depth + 1, below.nesting)
        introspected = below.introspection_depth + 1 if below.introspection_depth else 0
        # `node` and `nodes` with arguments are root fields, not wrappers.
        is_wrapper = node.name.value in WRAPPERS and not node.arguments and node.selection_set is not None
        return _Extent(below.fields + 1, below.depth + (not is_wrapper), introspected, below.nesting)

    def _spread(self, node: FragmentSpreadNode, nesting: int) -> _Extent:
        name = node.name.value
        fragment = self.fragments.get(name)
        if fragment is None:
            raise GraphQLError(f"Unknown fragment '{name}'.", node)
        if name in self.measured and self.measured[name] is None:
            raise GraphQLError(f"Cannot spread fragment '{name}' within itself.", node)
        return self._fragment(fragment, name, nesting)

    def _fragment(self, node: FragmentDefinitionNode, name: str, nesting: int) -> _Extent:
        extent = self.measured.get(name)
        if extent is None:
            self.measured[name] = None
            self.directives += len(node.directives or ())
            extent = self.measured[name] = self._selections(node.selection_set, nesting)
        if nesting + extent.nesting - 1 > self.limits.nesting:
            raise exceeded("nesting", self.limits, nesting + extent.nesting - 1, node)
        return extent


class _Paths:
    """Counts how often each response path of an operation is selected.

    `__typename` is counted within one selection set only, because clients write it into every set.
    """

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self.fragments = fragments
        self.most = 0

    def check(self, node: OperationDefinitionNode, limits: Limits) -> list[GraphQLError]:
        """Walk one operation and return the limits that it exceeds."""
        root: dict[str, Any] = {}
        self._walk(node.selection_set, root)
        found = {"root_fields": len(root), "repeats": self.most}
        return [
            exceeded(which, limits, actual, node) for which, actual in found.items() if actual > getattr(limits, which)
        ]

    def _walk(self, node: SelectionSetNode, paths: dict[str, Any]) -> None:
        names = 0
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                key = (selection.alias or selection.name).value
                if key == "__typename":
                    paths.setdefault(key, [1, {}])
                    names += 1
                    self.most = max(self.most, names)
                    continue
                entry = paths.setdefault(key, [0, {}])
                entry[0] += 1
                self.most = max(self.most, entry[0])
                if selection.selection_set:
                    self._walk(selection.selection_set, entry[1])
            elif isinstance(selection, InlineFragmentNode):
                self._walk(selection.selection_set, paths)
            elif isinstance(selection, FragmentSpreadNode):
                self._walk(self.fragments[selection.name.value].selection_set, paths)
