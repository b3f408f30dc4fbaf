"""Rights that lack a part: hidden memberships are unknown, members with limited information overwrite nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from sync.inventory.directory.kind import Edge
from sync.store.tables import edges, groups
from tests.end_to_end.fault import App, stream_of
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences


async def test_hidden_membership_is_unknown_and_never_empty(installation: Installation) -> None:
    """A group whose members the app may not see says so; a group without members is known to have none."""
    directory = installation.simulator.directory
    hidden, empty = list(directory.ids("groups"))[:2]
    directory.update("groups", hidden, visibility="HiddenMembership")
    for _, member in list(directory.links("members").all(empty)):
        directory.unlink("members", empty, member)
    assert (await installation.run()).status == "SUCCEEDED"
    async with installation.runtime.store.read() as tx:
        known = {
            external_id: (membership_known, number)
            for external_id, membership_known, number in await tx.execute(
                select(groups.c.external_id, groups.c.membership_known, func.count(edges.c.to_id))
                .outerjoin(edges, (edges.c.from_id == groups.c.id) & (edges.c.kind == Edge.MEMBER))
                .group_by(groups.c.id)
            )
        }
    assert known[hidden] == (False, 0)
    assert known[empty] == (True, 0)
    assert await differences(installation) == []


async def test_member_with_limited_information_overwrites_no_attribute(installation: Installation) -> None:
    """Members come with type and id alone, or with nulls; what the users' own stream said of them stays."""
    await installation.run()
    users, nulls = (await installation.dump())["users"], 0

    async def limit(scope: Any, receive: Any, send: Any, app: App) -> None:
        async def nulled(message: Any) -> None:
            nonlocal nulls
            if message["type"] == "http.response.body":
                nulls += message["body"].count(b"#microsoft.graph.user")
                text = message["body"].replace(
                    b'"@odata.type":"#microsoft.graph.user",',
                    b'"@odata.type":"#microsoft.graph.user","displayName":null,"mail":null,"userPrincipalName":null,',
                )
                await send(message | {"body": text})
                return
            kept = [header for header in message["headers"] if header[0] != b"content-length"]
            await send(message | {"headers": kept})

        if stream_of(scope) == "groups":
            plain = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
            await app(scope | {"headers": plain}, receive, nulled)
        else:
            await app(scope, receive, send)

    installation.simulator.expire_delta()
    installation.simulator.faults = limit
    assert (await installation.run()).status == "SUCCEEDED"
    assert nulls > 0
    assert (await installation.dump())["users"] == users
    assert await differences(installation) == []
