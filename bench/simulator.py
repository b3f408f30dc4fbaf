"""The simulator alone: one client fetches every page over TLS, first as they are made, then as they are kept.

`python -m bench.simulator` prints the table of docs/simulator.md. A sync cannot be measured faster than this.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import tempfile

import httpx
import orjson

from server.demo.child import child
from server.settings import outer_environment
from sync.clock import SystemClock

USERS, DEVICES, GROUPS = 20_000, 10_000, 1_000
ROUNDS = (
    "/v1.0/users/delta?$select=displayName,mail,userPrincipalName,accountEnabled,jobTitle,department,manager",
    "/v1.0/devices/delta?$select=displayName,deviceId,accountEnabled,operatingSystem,operatingSystemVersion,"
    "physicalIds,trustType,registeredOwners,registeredUsers",
    "/v1.0/groups/delta?$select=displayName,description,groupTypes,members,owners",
)
PASSES = ("first, pages are made", "again, pages are kept")
NEXT = re.compile(rb'"@odata\.nextLink":"([^"]+)"\}$')
HEADER = "| pass | requests | requests/s | objects/s | MB/s of JSON |\n|---|---|---|---|---|"


async def serving_table() -> str:
    """Start a simulator in a process of its own and fetch everything twice."""
    sizes = ("--users", str(USERS), "--devices", str(DEVICES), "--groups", str(GROUPS))
    rows = [HEADER]
    with tempfile.TemporaryDirectory() as folder:
        options = ("simulate", "--json", "--port", "0", "--data", folder, *sizes)
        async with child(*options, environment=outer_environment()) as tenant:
            facts = orjson.loads(await tenant.line("{", 60))
            context = ssl.create_default_context(cafile=facts["caFile"])
            async with httpx.AsyncClient(base_url=facts["origin"], verify=context, trust_env=False) as client:
                client.headers["Authorization"] = f"Bearer {await _sign_in(client, facts)}"
                rows += [await _pass(client, name) for name in PASSES]
    return "\n".join(rows)


async def _sign_in(client: httpx.AsyncClient, facts: dict[str, str]) -> str:
    form = {"grant_type": "client_credentials", "scope": f"{facts['origin']}/.default"}
    form |= {"client_id": facts["clientId"], "client_secret": facts["clientSecret"]}
    response = await client.post(f"/{facts['tenantId']}/oauth2/v2.0/token", data=form)
    token: str = response.raise_for_status().json()["access_token"]
    return token


async def _pass(client: httpx.AsyncClient, name: str) -> str:
    clock, requests, size = SystemClock(), 0, 0
    begun = clock.monotonic()
    for first in ROUNDS:
        following: str | None = first
        while following:
            body = (await client.get(following)).raise_for_status().content
            found = NEXT.search(body[-4_096:])
            following = found[1].decode() if found else None
            requests, size = requests + 1, size + len(body)
    seconds = clock.monotonic() - begun
    objects = USERS + DEVICES + GROUPS
    figures = (f"{requests}", f"{requests / seconds:,.0f}", f"{objects / seconds:,.0f}", f"{size / seconds / 1e6:,.0f}")
    return f"| {name} | {' | '.join(figures)} |"


if __name__ == "__main__":
    print(asyncio.run(serving_table()))
