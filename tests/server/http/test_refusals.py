"""What a role does not reach is refused and written down, once a minute, whatever the database does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from schema import build_schema
from schema.access import Principal, Role
from schema.context import Context
from server.app import build_app
from server.graphql.admission import REFUSAL_AGAIN_S, REFUSALS_MAX, Refusals
from server.settings import Settings
from sync.errors import Forbidden
from sync.organization.organizations import default_organization
from sync.organization.tokens import create_token
from sync.runtime import Config, Runtime
from sync.store.tables import audit_events
from tests.canary import watch
from tests.started import start_first
from tests.sync.entra.clock import FakeClock


async def events(runtime: Runtime) -> list[Any]:
    """Read the audit events."""
    async with runtime.store.read() as tx:
        return list((await tx.execute(select(audit_events).order_by(audit_events.c.id))).mappings())


ASKED = {
    "a mutation": ('mutation { createSite(input: {name: "x"}) { errors { code } } }', "Mutation.createSite"),
    "a list": ("{ credentials { totalCount } }", "Query.credentials"),
    "a field": ("{ tasks { nodes { credential { id } } } }", "Task.credential"),
    "a filter": ('{ tasks(where: {credential: {name: {eq: "x"}}}) { totalCount } }', "Task.credential"),
}


@pytest.mark.parametrize("what", ASKED)
async def test_refusal_is_written_down_when_the_role_does_not_reach(tmp_path: Path, what: str) -> None:
    """Over HTTP, as a viewer: the answer is FORBIDDEN, and one event says who asked for what in which request."""
    text, action = ASKED[what]
    await start_first(tmp_path / "data")
    runtime = await Runtime.open(Config(data_dir=tmp_path / "data"), run_tasks=False)
    try:
        async with runtime.store.write() as tx:
            organization_id = await default_organization(tx)
            token = await create_token(tx, runtime.clock, organization_id=organization_id, name="reader", role="VIEWER")
        app = build_app(Settings(), runtime, build_schema())
        headers = {"Authorization": f"Bearer {watch(token.text)}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rollcall.test") as client:
            answers = [await client.post("/graphql", json={"query": text}, headers=headers) for _ in range(3)]
        codes = {answer.json()["errors"][0]["extensions"]["code"] for answer in answers}
        assert codes == {"FORBIDDEN"}
        (event,) = await events(runtime)
        assert (event["actor"], event["action"], event["outcome"]) == ("token:1 reader", action, "FORBIDDEN")
        assert event["request_id"] == answers[0].headers["x-request-id"]
        assert event["organization_id"] == organization_id
    finally:
        await runtime.close()


async def test_refusal_is_written_again_after_a_minute_and_memory_stays_bounded(tmp_path: Path) -> None:
    """The same one counts once a minute; however many different ones there are, few are remembered."""
    clock = FakeClock()
    runtime = await Runtime.open(Config(data_dir=tmp_path / "data"), clock=clock, run_tasks=False)
    try:
        refusals = Refusals(clock)
        context = Context(runtime, Principal(1, 1, Role.VIEWER, "reader"), "request-1")
        for wait_s in (0.0, REFUSAL_AGAIN_S / 2, REFUSAL_AGAIN_S / 2):
            await clock.sleep(wait_s)
            await refusals.write(context, Forbidden(coordinate="Query.x"))
        assert len(await events(runtime)) == 2
        for number in range(3):
            await refusals.write(context, Forbidden(coordinate=f"Query.f{number}"))
        assert len(refusals._written) == 4 <= REFUSALS_MAX
    finally:
        await runtime.close()
