"""Admission: measures a document's roles and cost once, and checks each request against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from graphql import DocumentNode, GraphQLError, GraphQLSchema

from schema.access import Role, check, required
from schema.context import Context
from schema.limit.cost import Cost, costs
from schema.limit.limits import Limits
from schema.limit.refusal import exceeded
from schema.limit.size import check_extent
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
    """The needs of a valid document: its roles, each with the first field that needs it, and each operation's cost."""

    roles: dict[Role | None, str]
    costs: Mapping[str | None, Cost]


class Admission:
    """The checks before an operation runs; this base class applies only the limits of parsing.

    Args:
        limits: the limits of a document.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()

    def check(self, document: DocumentNode) -> Sequence[GraphQLError]:
        """Return the errors of a parsed document that is not validated yet."""
        return ()

    def measure(self, document: DocumentNode) -> Any:
        """Return the needs of a valid document; called once a document."""

    def weigh(self, prepared: Prepared) -> None:
        """Compare the cost of an operation with its variables with the limits.

        Raises:
            DocumentRejected: the operation costs too much.
        """

    def admit(self, prepared: Prepared, context: Any) -> None:
        """Check that a caller may run an operation.

        Raises:
            Forbidden: the operation needs a higher role.
        """

    async def note(self, context: Any, forbidden: Forbidden) -> None:
        """Record that a caller's role did not suffice."""


class RoleAdmission(Admission):
    """Checks size, roles and cost by the access table and the limits, and writes refusals into the audit log.

    Args:
        schema: the types of the fields.
        limits: the limits of a document.
        refusals: writes audit events; None writes none.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, refusals: Refusals | None = None) -> None:
        super().__init__(limits)
        self._schema, self._refusals = schema, refusals

    def check(self, document: DocumentNode) -> Sequence[GraphQLError]:
        """Return the limits that a document exceeds."""
        return check_extent(self.limits, document)

    def measure(self, document: DocumentNode) -> Needs:
        """Return the roles and the costs of a document."""
        return Needs(required(self._schema, document), costs(self._schema, document))

    def weigh(self, prepared: Prepared) -> None:
        """Refuse an operation that may return too many rows or describe too much of the schema."""
        needs, name = prepared.document.needs, prepared.operation.name
        cost, values = needs.costs[name.value if name else None], prepared.asked.variables.coerced
        for which, formula in (("cost", cost.rows), ("introspection_cost", cost.described)):
            actual = formula.of(values)
            if actual > getattr(self.limits, which):
                raise DocumentRejected(VALIDATION_FAILED, [exceeded(which, self.limits, actual, prepared.operation)])

    def admit(self, prepared: Prepared, context: Context) -> None:
        """Refuse a caller whose role does not suffice."""
        check(prepared.document.needs.roles, context.principal.role)

    async def note(self, context: Context, forbidden: Forbidden) -> None:
        """Write an audit event for a refusal."""
        if self._refusals is not None:
            await self._refusals.write(context, forbidden)


class Refusals:
    """Writes refusals as audit events, the same one at most once a minute.

    The limit stops a caller from filling the disk, or keeping the database busy, with forbidden requests.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._written: Recent[float] = Recent(REFUSALS_MAX)

    async def write(self, context: Context, forbidden: Forbidden) -> None:
        """Write one refusal; if the database cannot be written, log a warning and do not raise."""
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
