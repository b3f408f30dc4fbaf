"""Properties that a cloud does not know: named on the run, left out from then on, asked for again by a full round."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from sqlalchemy import select

from sync.store.tables import directories, raw, run_log, users
from sync.tasks.run.log import Level
from tests.end_to_end.fault import App, stream_of
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences

NAMED = {
    "missing": "Parsing OData Select and Expand failed: Could not find a property named '{}' on type 'graph.user'.",
    "listed": "Invalid request for delta query: for this entity set, $expand/$select is not supported for the "
    "following properties: {}",
    "unnamed": "Invalid Request: $select is not supported for these properties.",
}


class Cloud:
    """A cloud that does not know some properties; counts what it was asked for."""

    def __init__(self, *unknown: str, message: str, status: int = 400) -> None:
        self.unknown, self.message, self.status = set(unknown), message, status
        self.begun: list[tuple[str, list[str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any, app: App) -> None:
        """Refuse a selection that names one of them."""
        stream = stream_of(scope)
        selected = parse_qs(scope["query_string"].decode()).get("$select", [""])[0].split(",")
        if stream and selected != [""]:
            self.begun.append((stream, selected))
        refused = [name for name in selected if name in self.unknown]
        if not (stream and refused):
            await app(scope, receive, send)
            return
        message = self.message.format(refused[0] if "named" in self.message else ", ".join(refused))
        body = orjson.dumps({"error": {"code": "Request_BadRequest", "message": message}})
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        await send({"type": "http.response.body", "body": body})


async def warnings(installation: Installation, run_id: int) -> list[str]:
    """Return the warnings of a run."""
    mine = (run_log.c.run_id == run_id, run_log.c.level == Level.WARNING)
    async with installation.runtime.store.read() as tx:
        return list(await tx.scalars(select(run_log.c.message).where(*mine)))


async def left_out(installation: Installation) -> Any:
    """Return what the directory keeps."""
    async with installation.runtime.store.read() as tx:
        return await tx.scalar(select(directories.c.left_out))


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize(("form", "status"), [("missing", 400), ("listed", 400), ("unnamed", 400), ("unnamed", 501)])
async def test_property_is_left_out_and_named_when_the_cloud_does_not_know_it(
    installation: Installation, form: str, status: int
) -> None:
    """Whether Graph names it or not: the run succeeds with everything else, and the warning says what is missing."""
    cloud = Cloud("securityIdentifier", "faxNumber", message=NAMED[form], status=status)
    installation.simulator.faults = cloud
    run = await installation.run()
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    told = " ".join(await warnings(installation, run.id))
    assert "users:" in told and "faxNumber" in told and "securityIdentifier" in told and "displayName" not in told
    kept = await left_out(installation)
    assert kept["users"] == ["faxNumber", "securityIdentifier"] and kept["groups"] == ["securityIdentifier"]
    problems = await differences(installation)
    assert all("faxNumber" in one or "securityIdentifier" in one for one in problems), problems


async def test_property_stays_left_out_until_a_full_round_asks_for_it_again(installation: Installation) -> None:
    """A later round goes on from its link; a full round asks for everything, and takes what the cloud has learnt."""
    cloud = Cloud("faxNumber", message=NAMED["missing"])
    installation.simulator.faults = cloud
    await installation.run()
    cloud.begun.clear()
    later = await installation.run()
    assert (later.status, cloud.begun, await warnings(installation, later.id)) == ("SUCCEEDED", [], [])
    installation.simulator.expire_delta()
    again = await installation.run()
    asked = [selected for stream, selected in cloud.begun if stream == "users"]
    assert ["faxNumber" in selected for selected in asked] == [True, False]
    assert any("faxNumber" in line for line in await warnings(installation, again.id))
    cloud.unknown.clear()
    installation.simulator.expire_delta()
    await installation.run()
    assert (await left_out(installation))["users"] == []
    assert await differences(installation) == []


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("relation", ["members", "manager"])
async def test_relation_is_never_left_out(installation: Installation, relation: str) -> None:
    """Without it every edge would look removed: the stream fails and says so, and nothing goes."""
    installation.simulator.faults = Cloud(relation, message=NAMED["missing"])
    run = await installation.run()
    assert run.status == "PARTIAL"
    assert [error["code"] for error in run.errors] == ["UNKNOWN_PROPERTY"]
    assert not any((await left_out(installation) or {}).values())


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("full", [True, False])
async def test_value_stays_when_the_cloud_no_longer_gives_its_property(
    installation: Installation, *, full: bool
) -> None:
    """The full round that leaves it out keeps what is stored of it, and so does a later change of the object."""
    directory = installation.simulator.directory
    user = directory.create("users", displayName="Ada", faxNumber="+1 555 0199", employeeOrgData={"division": "Ops"})
    await installation.run()
    installation.simulator.faults = Cloud("faxNumber", "employeeOrgData", message=NAMED["listed"])
    run = await installation.run(full=True)
    assert run.status == "SUCCEEDED"
    assert "updated" not in run.counts["users"]
    assert (await left_out(installation))["users"] == ["employeeOrgData", "faxNumber"]
    directory.update("users", user, displayName="Ada B.", city="Oslo")
    run = await installation.run(full=full)
    assert run.counts["users"]["updated"] == 1
    assert not any("came without" in line for line in await warnings(installation, run.id))
    assert await stored(installation, user) == ("Ada B.", "Oslo", "+1 555 0199", {"division": "Ops"})


async def stored(installation: Installation, user: str) -> tuple[Any, ...]:
    """Return name, city, fax number and organizational data that are stored of a user."""
    statement = (
        select(users.c.display_name, users.c.city, users.c.fax_number, raw.c.item)
        .join_from(users, raw, raw.c.object_id == users.c.id)
        .where(users.c.external_id == user)
    )
    async with installation.runtime.store.read() as tx:
        name, city, fax, item = (await tx.execute(statement)).one()
    return name, city, fax, item.get("employeeOrgData")
