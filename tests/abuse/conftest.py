"""One installation with rows in every table, behind the operations that the server would run on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schema import build_schema
from schema.access import Principal, Role
from schema.context import Context
from schema.limit.limits import Limits
from schema.plan import Plans
from server.graphql.admission import RoleAdmission
from server.graphql.document import DocumentRejected
from server.graphql.execution import Execution, rejection
from server.graphql.operation import Answer, Trace
from server.graphql.request import GraphQLRequest
from server.simulator import Simulator
from sync.clock import SystemClock
from sync.runtime import Config, Runtime
from tests.api.rows import furnish
from tests.api.world import directory_of


def execution_of(limits: Limits, plans: Plans | None = None, **more: Any) -> Execution:
    """Put an execution together as server/app.py does."""
    schema = build_schema()
    return Execution(
        schema,
        request_timeout_s=more.pop("request_timeout_s", 10.0),
        admission=RoleAdmission(schema._schema, limits),
        plans=plans,
        **more,
    )


@dataclass(frozen=True)
class Front:
    """Sends operations to both executions and reads the answers.

    Args:
        runtime: an open process.
        execution: answers by the executor alone.
        planned: answers by compiled plans, where there is one.
    """

    runtime: Runtime
    execution: Execution
    planned: Execution

    async def ask(self, document: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run one operation as an administrator, both ways: data, errors, codes and hints must be the same.

        Unless one of them takes too long, as the dearest documents do on a machine that is busy with other things.
        Root fields are read side by side, so that their errors come in any order.
        """
        answers = [await self.run(one, document, variables or {}) for one in (self.execution, self.planned)]
        for answer in answers:
            answer.get("errors", []).sort(key=orjson.dumps)
        late = [answer for answer in answers if any(is_late(error) for error in answer.get("errors", ()))]
        assert late or answers[0] == answers[1]
        return (late or answers)[0]

    async def run(self, execution: Execution, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Run one operation as an administrator, one way."""
        request = GraphQLRequest(document, None, variables)
        principal = Principal(1, 1, Role.ADMINISTRATOR, "abuser")
        async with Context(self.runtime, principal, "request-1", {}) as context:
            answer = await _answer(execution, request, context)
        answer.close()
        body: dict[str, Any] = orjson.loads(answer.body)
        return body


def is_late(error: dict[str, Any]) -> bool:
    """Tell whether an error says that the operation's time was up."""
    return bool(error["extensions"]["code"] == "TIMEOUT")


class StillClock(SystemClock):
    """A clock whose date stands still, so that two answers that tell the time are the same."""

    def now(self) -> datetime:
        """Return the same moment every time."""
        return datetime(2026, 11, 24, 12, tzinfo=UTC)


async def _answer(execution: Execution, request: GraphQLRequest, context: Context) -> Answer:
    trace = Trace()
    try:
        prepared = await execution.prepare(request, read_only=False, trace=trace)
    except DocumentRejected as rejected:
        return rejection(rejected, context.request_id, trace)
    return await execution.execute(prepared, context, request_id=context.request_id, trace=trace)


@pytest.fixture(scope="session")
async def runtime(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runtime]:
    """Return an open runtime whose first organization has rows in every table."""
    settings = directory_of(Simulator(users=1, devices=1, groups=1, seed=7))
    config = Config(tmp_path_factory.mktemp("abuse") / "data", custom=settings.custom, connect=settings.connect)
    opened = await Runtime.open(config, clock=StillClock())
    try:
        async with opened.store.write() as tx:
            await furnish(tx, 1, seed=3)
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def front(runtime: Runtime) -> Front:
    """Return a front with the limits that hold by default."""
    return Front(runtime, execution_of(Limits()), execution_of(Limits(), Plans(build_schema(), runtime)))
