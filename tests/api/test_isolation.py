"""Organizations are closed worlds: what another one has cannot be seen, guessed or felt."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type
from sqlalchemy import insert, update

from schema.access import TABLE, Role
from schema.field.registry import NOUNS
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.scan.record import Host, apply_scan
from sync.organization.organizations import next_version
from sync.store import tables
from tests.api.caller import Caller
from tests.api.lists import LISTS, SCHEMA, id_of, visible
from tests.api.mutation import document
from tests.api.rows import Rows
from tests.api.test_create_credential import SECRET_KIND
from tests.api.world import Row, World
from tests.share import share

PAIRS, SEEDS = share(12, 60, 250), 4
MISSING = 999_999_999


def id_arguments(type_: GraphQLObjectType) -> Iterator[str]:
    """Yield the path of every argument and input field of a root's operations that takes an id."""
    for name, field in type_.fields.items():
        for argument, declared in field.args.items():
            yield from _ids(f"{name}.{argument}", get_named_type(declared.type), set())


def _ids(path: str, type_: Any, seen: set[str]) -> Iterator[str]:
    if type_.name == "ID":
        yield path
    elif isinstance(type_, GraphQLInputObjectType) and type_.name not in seen:
        for name, field in type_.fields.items():
            # A filter's other ids are those of related rows, which are the same rows, filters and ids again.
            if name == "id" or not path.endswith(".where"):
                yield from _ids(f"{path}.{name}", get_named_type(field.type), seen | {type_.name})


OPERATORS = {"eq": "$id", "ne": "$id", "in": "[$id]", "notIn": "[$id]"}
# Path of an id in the input → whose id it is, and a document with that id in `$id`.
QUERIES: dict[str, tuple[str, str]] = (
    {
        "asset.by.id": ("Asset", "query($id: ID!) { asset(by: {id: $id}) { id name } }"),
        "user.by.id": ("User", "query($id: ID!) { user(by: {id: $id}) { id manager { id } } }"),
        "group.by.id": ("Group", "query($id: ID!) { group(by: {id: $id}) { id members { totalCount } } }"),
        "site.id": ("Site", "query($id: ID!) { site(id: $id) { id } }"),
        "organization.id": ("Organization", "query($id: ID!) { organization(id: $id) { id } }"),
        "credential.id": ("Credential", "query($id: ID!) { credential(id: $id) { id } }"),
        "node.id": ("User", "query($id: ID!) { node(id: $id) { id ... on User { displayName } } }"),
        "nodes.ids": ("Asset", "query($id: ID!) { nodes(ids: [$id, $id]) { id ... on Asset { name } } }"),
        "duplicates.site": ("Site", "query($id: ID!) { duplicates(site: $id) { nodes { value } } }"),
        "webhook.id": ("Webhook", "query($id: ID!) { webhook(id: $id) { id } }"),
        "apiToken.id": ("ApiToken", "query($id: ID!) { apiToken(id: $id) { id } }"),
        "auditEvent.id": ("AuditEvent", "query($id: ID!) { auditEvent(id: $id) { id } }"),
        "task.id": ("Task", "query($id: ID!) { task(id: $id) { id } }"),
        "taskRun.id": ("TaskRun", "query($id: ID!) { taskRun(id: $id) { id log { totalCount } } }"),
    }
    | {
        f"{field}.where.id.{operator}": (
            noun,
            f"query($id: ID!) {{ {field}(where: {{id: {{{operator}: {value}}}}}) {{ totalCount nodes {{ id }} }} }}",
        )
        for noun, field in LISTS.items()
        for operator, value in OPERATORS.items()
    }
    | {
        f"{root}.where.id.{operator}": (
            noun,
            f"query($id: ID!) {{ {root}(where: {{id: {{{operator}: {value}}}}}) {{ count groups {{ count }} }} }}",
        )
        for noun, root in {"Asset": "assetsAggregate", "User": "usersAggregate", "Group": "groupsAggregate"}.items()
        for operator, value in OPERATORS.items()
    }
)
MUTATIONS: dict[str, str] = {
    "createToken.input.organization": "Organization",
    "revokeToken.input.token": "ApiToken",
    "createCredential.input.sharedWith": "Organization",
    "updateCredential.input.credential": "Credential",
    "updateCredential.input.sharedWith": "Organization",
    "rotateSecret.input.credential": "Credential",
    "deleteCredential.input.credential": "Credential",
    "deleteCredential.input.replacement": "Credential",
    "verifyCredential.input.credential": "Credential",
    "createTask.input.site": "Site",
    "createTask.input.connector.azureAd.credential": "Credential",
    "createTask.input.scan.probes.azureAd.credential": "Credential",
    "updateSite.input.site": "Site",
    "importScan.input.site": "Site",
    "triggerTask.input.task": "Task",
    "updateTask.input.task": "Task",
    "updateTask.input.connector.azureAd.credential": "Credential",
    "updateTask.input.scan.probes.azureAd.credential": "Credential",
    "deleteTask.input.task": "Task",
    "pauseTask.input.task": "Task",
    "resumeTask.input.task": "Task",
    "hideTask.input.task": "Task",
    "stopRun.input.run": "TaskRun",
    "retryRun.input.run": "TaskRun",
    "mergeAssets.input.into": "Asset",
    "mergeAssets.input.assets": "Asset",
    "splitAsset.input.asset": "Asset",
    "splitAsset.input.records": "AzureAdDevice",
    "confirmRemoval.input.run": "TaskRun",
    "updateWebhook.input.webhook": "Webhook",
    "deleteWebhook.input.webhook": "Webhook",
    "testWebhook.input.webhook": "Webhook",
}


def mutation_input(path: str, id: str, own: dict[str, str]) -> dict[str, Any]:
    """Return a mutation's input, right but for the id at the path."""
    if path.startswith("createToken"):
        return {"name": "T", "role": "VIEWER", "organization": id}
    if path.startswith("revokeToken"):
        return {"token": id}
    if path == "createCredential.input.sharedWith":
        return {"name": "T", "kind": SECRET_KIND, "sharedWith": [id]}
    if path.endswith("Credential.input.sharedWith"):
        return {"credential": own["credential"], "sharedWith": [id]}
    if path == "deleteCredential.input.replacement":
        return {"credential": own["used"], "replacement": id}
    if "Credential.input" in path:
        return {"credential": id}
    if path.startswith("rotateSecret"):
        return {"credential": id, "secret": "s"}
    if path.endswith("Task.input.task"):
        return {"task": id}
    if path.startswith("updateTask"):
        changed: dict[str, Any] = {"azureAd": {"credential": id}}
        return (
            {"task": own["connector"], "connector": changed}
            if "connector" in path
            else {"task": own["scan"], "scan": {"probes": changed}}
        )
    if path.startswith("mergeAssets"):
        return {"into": own["asset"], "assets": [own["asset"]]} | {
            name: id if name == "into" else [id] for name in [path.rpartition(".")[2]]
        }
    if path.startswith("splitAsset"):
        return {"asset": own["asset"], "records": [own["record"]]} | (
            {"asset": id} if path.endswith("asset") else {"records": [id]}
        )
    if path.endswith("Webhook.input.webhook"):
        return {"webhook": id}
    if path.endswith(".input.run"):
        return {"run": id}
    if path.startswith("updateSite"):
        return {"site": id, "description": "Mine."}
    if path.startswith("importScan"):
        return {"site": id, "xml": "<nmaprun/>"}
    if "scan" in path:
        return {
            "name": "T",
            "site": own["site"],
            "scan": {"targets": ["10.0.0.1"], "probes": {"azureAd": {"credential": id}}},
        }
    ids = own | ({"site": id} if path.endswith("site") else {"credential": id})
    return {"name": "T", "site": ids["site"], "connector": {"azureAd": {"credential": ids["credential"]}}}


async def foreign_rows(world: World, noun: str) -> list[Row]:
    """Return rows of a noun that belong to another organization, tombstones left out."""
    if noun == "Organization":
        return [row for row in await world.read(tables.organizations.select()) if row["id"] != world.home]
    return await visible(world, noun, world.caller(organization=world.gamma))


def test_every_argument_that_takes_an_id_is_tried() -> None:
    """A new id in the schema fails here until it is tried with a foreign one."""
    assert SCHEMA.query_type and SCHEMA.mutation_type
    assert set(id_arguments(SCHEMA.query_type)) == set(QUERIES)
    # A filter leads to one's own rows only; `test_rows_of_others_are_not_changed_by_a_filter` tries that.
    changing = {path for path in id_arguments(SCHEMA.mutation_type) if ".where." not in path}
    assert changing == set(MUTATIONS)


@pytest.mark.slow(cases=14)
@pytest.mark.parametrize("path", QUERIES)
async def test_foreign_id_looks_like_a_missing_one_when_asked_for(world: World, path: str) -> None:
    """Every id-taking argument answers a foreign id as it answers one that was never given out."""
    noun, text = QUERIES[path]
    for role in (Role.USER, Role.ADMINISTRATOR) if noun == "Organization" else (Role.USER, Role.SUPERUSER):
        caller = world.caller(role)
        missing = await caller.ask(text, id=f"{NOUNS[noun].prefix}_{MISSING}")
        rows = await foreign_rows(world, noun)
        assert rows
        for row in rows[:6]:
            foreign = await caller.ask(text, id=id_of(noun, row))
            assert foreign == missing
            assert id_of(noun, row) not in str(foreign)


@pytest.mark.slow(cases=10)
@pytest.mark.parametrize("path", MUTATIONS)
async def test_foreign_id_looks_like_a_missing_one_when_changed(office: World, path: str) -> None:
    """Every id in a mutation's input: a foreign one is NOT_FOUND in the same words as a missing one."""
    caller, noun = office.caller(), MUTATIONS[path]
    (site,) = [row for row in await office.rows(tables.sites, office.home) if row["name"] == "Primary"]
    credential = await own_credential(office, caller)
    own = {"site": id_of("Site", site), "credential": credential, **await own_asset(office, site["id"])}
    own |= await own_tasks(office, caller, own)
    own["used"] = credential
    connector = {"azureAd": {"credential": credential}}
    await caller.data(document("createTask"), input={"name": "Used", "site": own["site"], "connector": connector})
    text = document(path.partition(".")[0])
    missing = await caller.ask(text, input=mutation_input(path, f"{NOUNS[noun].prefix}_{MISSING}", own))
    (error,) = next(iter(missing.ok().values()))["errors"]
    assert error["code"] == "NOT_FOUND" and error["path"] == path.split(".")[1:]
    foreign = (
        [{"id": office.beta}]
        if noun == "Organization"
        else await visible(office, noun, office.caller(organization=office.beta))
    )
    for row in foreign[:6]:
        assert await caller.ask(text, input=mutation_input(path, id_of(noun, row), own)) == missing


FILTERED = {"pauseTasks": "Task", "resumeTasks": "Task", "stopRuns": "TaskRun"}


@pytest.mark.parametrize("mutation", FILTERED)
@pytest.mark.parametrize("operator", OPERATORS)
async def test_rows_of_others_are_not_changed_by_a_filter(office: World, mutation: str, operator: str) -> None:
    """Whatever a filter says, a mutation of many rows reaches those that its caller may see, and no others."""
    noun, beta = NOUNS[FILTERED[mutation]], office.caller(organization=office.beta)
    table = noun.table
    before = await office.rows(table, office.beta)
    assert before and await visible(office, noun.name, beta)
    value: Any = id_of(noun.name, before[0])
    given = {"where": {"id": {operator: [value] if operator in ("in", "notIn") else value}}}
    await office.caller().data(document(mutation), input=given)
    assert await office.rows(table, office.beta) == before


async def own_tasks(office: World, caller: Caller, own: dict[str, str]) -> dict[str, str]:
    """Return the ids of tasks of one's own, of either kind."""
    found: dict[str, str] = {}
    kinds = {"connector": {"azureAd": {"credential": own["credential"]}}, "scan": {"targets": ["10.0.0.1"]}}
    for name, kind in kinds.items():
        given = {"name": name, "site": own["site"], name: kind, "idempotencyKey": f"isolated {name}"}
        made = (await caller.data(document("createTask"), input=given))["createTask"]
        found[name] = made["task"]["id"]
    return found


async def own_asset(office: World, site: int) -> dict[str, str]:
    """Return the ids of an asset of one's own, and of its record."""
    host = Host("2026-11-23T04:05:06.123Z", names=("isolated",))
    async with office.runtime.store.write() as tx:
        await tx.run_sync(apply_scan, office.runtime.clock, AssetPlace(office.home, site), [host])
    (record,) = [row for row in await office.rows(tables.scan_records, office.home) if row["names"] == ["isolated"]]
    return {"asset": f"asset_{record['asset_id']}", "record": id_of("ScanRecord", record)}


async def own_credential(office: World, caller: Caller) -> str:
    """Return a credential of the caller's organization."""
    rows = [row for row in await office.rows(tables.credentials, office.home) if row["name"] == "Isolation"]
    if rows:
        return id_of("Credential", rows[0])
    data = await caller.data(document("createCredential"), input={"name": "Isolation", "kind": SECRET_KIND})
    return str(data["createCredential"]["credential"]["id"])


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("noun", LISTS)
async def test_list_shows_only_rows_of_the_organization(world: World, noun: str, role: Role) -> None:
    """No list shows another organization's rows, not even to a superuser, but for the list of organizations."""
    caller = world.caller(role)
    answer = await caller.ask(f"{{ {LISTS[noun]}(first: 1000) {{ totalCount nodes {{ id }} }} }}")
    if not role.reaches(TABLE[f"Query.{LISTS[noun]}"]):
        assert answer.code == "FORBIDDEN"
        return
    listed = answer.ok()[LISTS[noun]]
    if noun == "Organization":
        rows: list[Row] = [{"id": world.home}]
        if role is Role.SUPERUSER:
            rows = await world.read(tables.organizations.select().order_by(tables.organizations.c.id))
    else:
        rows = [row for row in await visible(world, noun, caller) if row["organization_id"] == world.home]
    expected = [id_of(noun, row) for row in rows]
    assert [node["id"] for node in listed["nodes"]] == expected
    assert listed["totalCount"] == len(expected)


async def test_superuser_reads_no_rows_through_another_organization(world: World) -> None:
    """Listing all organizations opens none of them: their sites stay out of sight."""
    data = await world.caller(Role.SUPERUSER).data(
        "{ organizations(first: 1000) { nodes { id sites { totalCount } } } }"
    )
    counts = {node["id"]: node["sites"]["totalCount"] for node in data["organizations"]["nodes"]}
    assert counts.pop(f"org_{world.home}") == 1
    assert set(counts.values()) == {0}


async def test_name_is_found_when_another_organization_has_it_too(world: World) -> None:
    """A key that rows of two organizations share finds one's own row in either, and is not ambiguous."""
    twins = [await world.new_organization(f"Twin {number}", seed=61) for number in (1, 2)]
    found = []
    for organization in twins:
        caller = world.caller(organization=organization)
        serials = [row["serial"] for row in await visible(world, "Asset", caller) if row["serial"] is not None]
        serial = min(serial for serial in serials if serials.count(serial) == 1)
        data = await caller.data("query($s: String!) { asset(by: {serial: $s}) { id } }", s=serial)
        found.append((serial, data["asset"]["id"]))
    assert found[0][0] == found[1][0] and found[0][1] != found[1][1]


QUESTIONS = (
    "{ assets(first: 9) { totalCount nodes { id name owners { totalCount } matches { value } azureAd { raw } } } }",
    '{ users(first: 9, where: {not: {city: {eq: "a"}}}) { nodes { id manager { id } groups { totalCount } } } }',
    "{ groups(first: 9) { nodes { id userCount members(first: 9) { nodes { __typename } totalCount } } } }",
    "{ credentials { nodes { id name lastUsedAt createdBy } } sites { nodes { name tasks { totalCount } } } }",
    "{ tasks { nodes { id status credential { id } lastRun { id } } } taskRuns { nodes { id log { totalCount } } } }",
    "{ viewer { organization { id name version updatedAt } } organizations { nodes { id } totalCount } }",
    '{ user(by: {userPrincipalName: "alpha"}) { id } asset(by: {name: "Alpha"}) { id } site(id: "site_1") { id } }',
)
CHANGES = 9


async def change(world: World, chance: random.Random, organization: int, number: int) -> None:
    """Do something at random in an organization, through the schema or straight in its tables."""
    caller = world.caller(organization=organization)
    kind = number % CHANGES
    if kind == 0:
        await caller.data(document("createSite"), input={"name": chance.choice(["Primary", "Directory", f"s{number}"])})
    elif kind == 1:
        given = {"name": chance.choice(["Directory", f"c{number}"]), "kind": SECRET_KIND}
        await caller.data(document("createCredential"), input=given)
    elif kind == 2:
        wrong = {"name": "T", "role": "VIEWER", "lifetimeDays": 0}
        await caller.data(document("createToken"), input=wrong)
    elif kind == 3:
        await caller.data(document("triggerTask"), input={"task": world.task})
    else:
        async with world.runtime.store.write() as tx:
            table = chance.choice([tables.users, tables.groups, tables.devices, tables.assets])
            mine = table.c.organization_id == organization
            version = await tx.run_sync(next_version, organization)
            if kind in (4, 5):
                name = "name" if table is tables.assets else "display_name"
                await tx.execute(update(table).where(mine).values({name: chance.choice(["alpha", "Alpha", None])}))
            elif kind in (6, 7):
                gone = chance.choice([None, "2026-11-23T04:05:06.123Z"])
                await tx.execute(update(table).where(mine).values(deleted_at=gone, version=version))
            else:
                site = (
                    await tx.execute(tables.sites.select().where(tables.sites.c.organization_id == organization))
                ).first()
                assert site is not None
                await tx.execute(
                    insert(tables.assets), [Rows(organization, number).row(tables.assets, site_id=site.id)]
                )


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_answer_stays_the_same_when_another_organization_changes(world: World, seed: int) -> None:
    """Non-interference: whatever happens in one organization, the next answer in another is the same to the byte."""
    chance = random.Random(seed)  # noqa: S311 - the same changes in every run
    busy = await world.new_organization(f"Restless {seed}", seed=51 + seed)
    callers = [world.caller(), world.caller(Role.VIEWER), world.caller(organization=world.beta)]
    pairs = 0
    while pairs < PAIRS:
        caller, text = chance.choice(callers), chance.choice(QUESTIONS)
        before = await caller.ask(text)
        await change(world, chance, busy, chance.randrange(1_000))
        assert await caller.ask(text) == before
        pairs += 1
