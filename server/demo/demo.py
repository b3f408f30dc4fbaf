"""The demo: starts a tenant and a server, works through GraphQL as a person would, and checks the result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from server.command.progress import RunProgress
from server.demo.child import Child, child
from server.demo.client import Client
from server.demo.proof import Proof, Truth, prove
from server.demo.queries import QUERIES
from server.demo.scan import DEVICES, IMPORT, NETWORKS, device_names, scan_report
from sync.clock import Clock
from sync.errors import CursorExpired, DemoFailed

START_S = 60.0
POLL_S = 0.2
RUN_S_MAX = 3_600.0
TOKEN_ROLE = "SUPERUSER"  # noqa: S105 - the name of a role
_RUN = """query($id: ID!) { taskRun(id: $id) {
  id status attempt startedAt finishedAt progress { stage done total } requests { count retries throttledSeconds }
  problems: errors { code message hint resource } log(first: 100) { nodes { level code message } }
} }"""
KILLED = "rough"
"""The plan of faults with which the demo also kills its server."""


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    users: int
    devices: int
    groups: int
    seed: int
    port: int
    data_dir: Path
    faults: str = "none"


class DemoServer:
    """The server of the demo; with the faults `rough` it is killed once during the run."""

    def __init__(self, process: Child, origin: str, *, dies: bool) -> None:
        self._process, self._dies = process, dies
        self._port = origin.rpartition(":")[2]
        self.kills = 0

    @property
    def pid(self) -> int:
        """The process id; it changes with a kill."""
        return self._process.pid

    async def kill_once(self, run: Mapping[str, Any], console: Console) -> None:
        """Kill the server by SIGKILL and start it again, if it should die and the run has written something."""
        is_amid = not run["finishedAt"] and any(stage["done"] for stage in run["progress"])
        if not (self._dies and is_amid and self.kills == 0):
            return
        self.kills += 1
        console.print("Killing the server during the run (SIGKILL) and starting it again ...")
        await self._process.kill()
        await self._process.start(ROLLCALL_PORT=self._port)
        await self._process.line("Rollcall serves ", START_S)


@dataclass(frozen=True)
class Stage:
    """The running demo: the tenant's facts, the server's address, a client, its token and its organization."""

    tenant: Mapping[str, str]
    origin: str
    client: Client
    token: str
    organization: str
    server: DemoServer


@dataclass(frozen=True)
class Synced:
    """A run that succeeded, and its seconds since the trigger."""

    run: Mapping[str, Any]
    seconds: float
    kills: int

    @property
    def restarts(self) -> int:
        """How often a stream was read again from its beginning, because Graph had lost its position."""
        return sum(entry["code"] == CursorExpired.code for entry in self.run["log"]["nodes"])


@dataclass(frozen=True)
class DemoOutcome:
    """The inventory's totals, its comparison with the tenant, and the tenant's faults during the run."""

    proof: Proof
    totals: Mapping[str, int]
    faults: Mapping[str, int]
    sample: Mapping[str, Any]


@asynccontextmanager
async def stage(options: Options, environment: Mapping[str, str], console: Console) -> AsyncIterator[Stage]:
    """Start the tenant and the server, and make the demo's organization."""
    simulator = ("simulate", "--json", "--port", "0", "--data", str(options.data_dir / "tenant"))
    sizes = ("--users", str(options.users), "--devices", str(options.devices), "--groups", str(options.groups))
    moods = ("--seed", str(options.seed), "--faults", options.faults)
    async with child(*simulator, *sizes, *moods, environment=environment) as tenant:
        facts: dict[str, str] = orjson.loads(await tenant.line("{", START_S))
        console.print(f"A simulated tenant listens on {facts['origin']} ({facts['tenantDomain']}).")
        async with server_of(
            facts, options.data_dir / "server", options.port, environment, console, dies=options.faults == KILLED
        ) as place:
            yield place


@asynccontextmanager
async def server_of(
    facts: Mapping[str, str],
    data_dir: Path,
    port: int,
    environment: Mapping[str, str],
    console: Console,
    *,
    dies: bool = False,
) -> AsyncIterator[Stage]:
    """Start a server for the simulated tenant that `facts` describe, and make the demo's organization."""
    server_environment = {
        **environment,
        "ROLLCALL_DATA_DIR": str(data_dir),
        "ROLLCALL_PORT": str(port),
        "ROLLCALL_CUSTOM_AUTHORITY_URL": facts["origin"],
        "ROLLCALL_CUSTOM_GRAPH_URL": facts["origin"],
        "ROLLCALL_CUSTOM_CA_FILE": facts["caFile"],
        "ROLLCALL_LOG_LEVEL": "warning",
    }
    async with child("serve", environment=server_environment) as server:
        origin = (await server.line("Rollcall serves ", START_S)).rpartition(" ")[2].removesuffix("/graphql")
        console.print(f"A server listens on {origin}.")
        async with child(*_token("demo", TOKEN_ROLE), environment=server_environment) as command:
            root = await command.line("rc_", START_S)
        async with Client(origin, root) as client:
            organization, token = await _organization(client)
        async with Client(origin, token) as client:
            yield Stage(facts, origin, client, token, organization, DemoServer(server, origin, dies=dies))


def _token(name: str, role: str) -> tuple[str, ...]:
    return "token", "create", "--name", name, "--role", role, "--days", "1"


async def _organization(client: Client) -> tuple[str, str]:
    """Find or make the organization Demo, and make a token for it."""
    found = await client.ask('{ organizations(where: { name: { eq: "Demo" } }) { nodes { id } } }')
    if nodes := found["organizations"]["nodes"]:
        organization = nodes[0]["id"]
    else:
        document = 'mutation { createOrganization(input: { name: "Demo" }) { organization { id } errors { message } } }'
        organization = (await client.ask(document))["createOrganization"]["organization"]["id"]
    made = await client.ask(
        """mutation($organization: ID!) {
          createToken(input: { name: "demo", role: ADMINISTRATOR, organization: $organization, lifetimeDays: 30 }) {
            text errors { message hint }
          }
        }""",
        organization=organization,
    )
    return organization, made["createToken"]["text"]


async def sync(place: Stage, clock: Clock, console: Console) -> Synced:
    """Make the task if it is missing, trigger it and watch the run to its end.

    Raises:
        DemoFailed: the run did not succeed.
    """
    task = await _task(place, console)
    begun = clock.monotonic()
    run = await _watch(place, await _trigger(place.client, task), clock, console)
    if run["status"] == "NEEDS_CONFIRMATION":
        # The tenant is smaller than in the run before, on purpose: confirm the removals.
        for problem in run["problems"]:
            console.print(f"  {problem['message']}")
        run = await _watch(place, await _confirm(place.client, run["id"]), clock, console)
    seconds = clock.monotonic() - begun
    if run["status"] != "SUCCEEDED":
        told = "; ".join(f"{error['message']} {error['hint'] or ''}" for error in run["problems"])
        raise DemoFailed(f"The run ended {run['status']}. {told}")
    return Synced(run, seconds, place.server.kills)


async def scan(place: Stage, seed: int, clock: Clock, console: Console) -> None:
    """Import the report of a scan of the tenant's networks into the site of its task."""
    name = f"Sync {place.tenant['tenantDomain']}"
    document = "query($name: String!) { tasks(where: { name: { eq: $name } }) { nodes { site { id } } } }"
    (task,) = (await place.client.ask(document, name=name))["tasks"]["nodes"]
    report = scan_report(device_names(await place.client.ask(DEVICES)), seed, clock.now())
    counts = (await place.client.ask(IMPORT, site=task["site"]["id"], xml=report))["importScan"]["counts"]
    told = f"{counts['merged']} hosts are known, {counts['created']} are new"
    console.print(f"Imported the report of a scan of the tenant's networks: {told}.")


async def compare(place: Stage, console: Console) -> DemoOutcome:
    """Compare the inventory with the tenant, and count it."""
    console.print("Comparing every object, field and edge with the tenant's data ...")
    truth = Truth(place.tenant["origin"], place.tenant["caFile"], place.tenant["adminKey"])
    try:
        proof, faults = await prove(place.client, truth), await truth.faults()
    finally:
        await truth.close()
    counted = await place.client.ask("{ assets { totalCount } users { totalCount } groups { totalCount } }")
    totals = {name: part["totalCount"] for name, part in counted.items()}
    return DemoOutcome(proof, totals, faults, await place.client.ask(QUERIES[0].document))


async def _task(place: Stage, console: Console) -> str:
    """Return the task of this tenant; make it with its site and both credentials if it is missing."""
    tenant, client = place.tenant, place.client
    name = f"Sync {tenant['tenantDomain']}"
    found = await client.ask(
        "query($name: String!) { tasks(where: { name: { eq: $name } }) { nodes { id } } }", name=name
    )
    if nodes := found["tasks"]["nodes"]:
        console.print("The data directory has been used before; using its credentials and its task.")
        return str(nodes[0]["id"])
    site = await _site(place)
    base = {"cloud": "CUSTOM"}
    secret = {
        "clientId": tenant["clientId"],
        "tenantId": tenant["tenantId"],
        "clientSecret": tenant["clientSecret"],
    }
    password = {
        "clientId": tenant["publicClientId"],
        "tenantId": tenant["tenantId"],
        "username": tenant["username"],
        "password": tenant["password"],
    }
    credential = await _make(
        client,
        "createCredential",
        "credential",
        name=f"{tenant['tenantDomain']} (client secret)",
        kind={"azureClientSecret": secret},
        **base,
    )
    await _make(
        client,
        "createCredential",
        "credential",
        name=f"{tenant['tenantDomain']} (user and password)",
        kind={"azureUsernamePassword": password},
        **base,
    )
    console.print("Made a site and both kinds of credential.")
    await _paused_scan(client, site)
    connector = {"azureAd": {"credential": credential, "fullRoundDays": 7}}
    about = "Reads users, devices and groups when it is triggered"
    return await _make(client, "createTask", "task", name=name, description=about, site=site, connector=connector)


async def _site(place: Stage) -> str:
    name, about = f"Headquarters of {place.tenant['tenantDomain']}", "The office, its lab and what is public"
    return await _make(place.client, "createSite", "site", name=name, description=about, scope=list(NETWORKS))


async def _paused_scan(client: Client, site: str) -> None:
    """Make a scan that would run every week: there is a schedule to look at, and nobody's network is scanned."""
    name, weekly = "Scan the office every week", {"weekly": {"days": ["SUNDAY"], "at": "03:00"}}
    scan = {"targets": list(NETWORKS[:1])}
    task = await _make(client, "createTask", "task", name=name, site=site, scan=scan, schedule=weekly)
    document = "mutation($task: ID!) { pauseTask(input: { task: $task }) { errors { message hint } } }"
    await client.ask(document, task=task)


async def _make(client: Client, mutation: str, noun: str, **fields: Any) -> str:
    input_type = mutation[0].upper() + mutation[1:] + "Input!"
    payload = f"{noun} {{ id }} errors {{ message hint }}"
    document = f"mutation($input: {input_type}) {{ {mutation}(input: $input) {{ {payload} }} }}"
    return str((await client.ask(document, input=fields))[mutation][noun]["id"])


async def _trigger(client: Client, task: str) -> str:
    document = "mutation($task: ID!) { triggerTask(input: { task: $task }) { run { id } errors { message hint } } }"
    return str((await client.ask(document, task=task))["triggerTask"]["run"]["id"])


async def _confirm(client: Client, run: str) -> str:
    document = "mutation($run: ID!) { confirmRemoval(input: { run: $run }) { run { id } errors { message hint } } }"
    return str((await client.ask(document, run=run))["confirmRemoval"]["run"]["id"])


async def _watch(place: Stage, run_id: str, clock: Clock, console: Console) -> dict[str, Any]:
    console.print("The run has begun:")
    deadline = clock.monotonic() + RUN_S_MAX
    with RunProgress(console) as progress:
        while clock.monotonic() < deadline:
            run: dict[str, Any] = (await place.client.ask(_RUN, id=run_id))["taskRun"]
            progress.show(run)
            await place.server.kill_once(run, console)
            if run["finishedAt"] or run["status"] == "NEEDS_CONFIRMATION":
                return run
            await clock.sleep(POLL_S)
    raise DemoFailed("The run did not end in time.")
