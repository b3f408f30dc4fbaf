"""Who may run what, and how much of it: what a document needs is found once, each request is then held against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLSchema

from schema.access import Role, check, required
from schema.context import Context
from schema.cost import Cost, costs
from schema.limits import Limits, exceeded
from server.graphql.document import DocumentRejected
from server.graphql.errors import VALIDATION_FAILED
from server.graphql.execution import Prepared


@dataclass(frozen=True, slots=True)
class Needs:
    """What a valid document asks for: roles, each with the first field that needs it, and each operation's cost."""

    roles: dict[Role | None, str]
    costs: Mapping[str | None, Cost]


def measure(schema: GraphQLSchema, document: DocumentNode) -> Needs:
    """Find what a valid document needs."""
    return Needs(required(schema, document), costs(schema, document))


def admit(prepared: Prepared, context: Context) -> None:
    """Let a caller run an operation.

    Raises:
        Forbidden: the caller's role does not reach what it asks for.
    """
    check(prepared.document.needs.roles, context.principal.role)


def weigh(limits: Limits, prepared: Prepared) -> None:
    """Hold what an operation costs with its variables against the limit.

    Raises:
        DocumentRejected: it may return too many rows.
    """
    needs, name = prepared.document.needs, prepared.operation.name
    cost = needs.costs[name.value if name else None].of(prepared.request.variables)
    if cost > limits.cost:
        raise DocumentRejected(VALIDATION_FAILED, [exceeded("cost", limits, cost, prepared.operation)])
