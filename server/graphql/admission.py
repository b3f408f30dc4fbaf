"""Admission: the roles and the cost that a document needs are found once; each request is checked against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from graphql import DocumentNode, GraphQLSchema

from schema.access import Role, check, required
from schema.context import Context
from schema.limit.cost import Cost, costs
from schema.limit.limits import Limits
from schema.limit.refusal import exceeded
from schema.lru import Recent
from server.graphql.document import DocumentRejected
from server.graphql.errors import VALIDATION_FAILED
from server.graphql.operation import Prepared
from sync.clock import Clock
from sync.errors import Forbidden, StoreError
from sync.organization.audit import Event, record

log = structlog.stdlib.get_logger("rollcall.server")

REFUSALS_MAX = 4_096
REFUSAL_AGAIN_S = 60.0


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


class Refusals:
    """Writes what a caller's role did not reach as audit events; the same again within a minute is not written again.

    So nobody can fill the disk, or keep the database busy, with what is forbidden to them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._written: Recent[float] = Recent(REFUSALS_MAX)

    async def write(self, context: Context, forbidden: Forbidden) -> None:
        """Write one refusal; a database that cannot be written to refuses no less."""
        principal, action = context.principal, str(forbidden.facts["coordinate"])
        now, key = self._clock.monotonic(), (principal.organization_id, principal.actor, action)
        last = self._written.find(key)
        if last is not None and now - last < REFUSAL_AGAIN_S:
            return
        self._written.keep(key, now)
        event = Event(principal.organization_id, principal.actor, action, forbidden.code)
        try:
            async with context.runtime.store.write() as tx:
                await record(tx, self._clock, event, context.request_id)
        except StoreError as error:
            log.warning("audit.unwritten", action=action, error=error.code)


def weigh(limits: Limits, prepared: Prepared) -> None:
    """Hold what an operation costs with its variables against the limit.

    Raises:
        DocumentRejected: it may return too many rows, or tell too much of the schema.
    """
    needs, name = prepared.document.needs, prepared.operation.name
    cost, values = needs.costs[name.value if name else None], prepared.asked.variables.coerced
    for which, formula in (("cost", cost.rows), ("introspection_cost", cost.described)):
        actual = formula.of(values)
        if actual > getattr(limits, which):
            raise DocumentRejected(VALIDATION_FAILED, [exceeded(which, limits, actual, prepared.operation)])
