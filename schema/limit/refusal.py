"""The refusal of a document that goes beyond a limit."""

from __future__ import annotations

from graphql import GraphQLError, Node

from schema.limit.limits import Limits, public_name

LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
# The greatest whole number that every JSON reader keeps exactly; doubling fragments go far beyond it.
_TELLABLE_MAX = 2**53 - 1


def exceeded(which: str, limits: Limits, actual: int, *nodes: Node) -> GraphQLError:
    """Make the refusal of a document that goes beyond a limit.

    Args:
        which: the limit's attribute.
        limits: those in force.
        actual: what the document has.
        nodes: where, if one place can be named.
    """
    limit, name = getattr(limits, which), public_name(which)
    actual = min(actual, _TELLABLE_MAX)
    facts = {"code": LIMIT_EXCEEDED, "which": name, "limit": limit, "actual": actual, "hint": _HINTS.get(which)}
    return GraphQLError(
        f"The document goes beyond the limit {name}: {actual} of {limit}.", list(nodes), extensions=facts
    )


_HINTS = {
    "chars": "Send long values as variables.",
    "operations": "Send only the operation to run.",
    "introspection_cost": "Ask for `types` once, and for fewer lists inside each other.",
    "cost": "Ask for shorter lists with `first`, or for fewer lists inside each other.",
}
