"""The refusal of a document that exceeds a limit."""

from __future__ import annotations

from graphql import GraphQLError, Node

from schema.limit.limits import Limits, public_name

LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
# The greatest integer that every JSON reader keeps exactly; nested fragments can exceed it by far.
_TELLABLE_MAX = 2**53 - 1


def exceeded(which: str, limits: Limits, actual: int, *nodes: Node) -> GraphQLError:
    """Return the refusal of a document that exceeds a limit.

    Args:
        which: the limit's attribute.
        limits: the limits in force.
        actual: the document's number.
        nodes: the place in the document, if there is one.
    """
    limit, name = getattr(limits, which), public_name(which)
    actual = min(actual, _TELLABLE_MAX)
    facts = {"code": LIMIT_EXCEEDED, "which": name, "limit": limit, "actual": actual, "hint": _HINTS.get(which)}
    return GraphQLError(f"The document exceeds the limit {name}: {actual} of {limit}.", list(nodes), extensions=facts)


_HINTS = {
    "chars": "Send long values as variables.",
    "operations": "Send only the operation to run.",
    "introspection_cost": "Select `types` once, and nest fewer lists.",
    "cost": "Request shorter lists with `first`, or nest fewer lists.",
}
