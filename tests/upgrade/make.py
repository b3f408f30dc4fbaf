"""Makes the fixture: `python -m tests.upgrade.make` in a checkout of the version that it is to be a database of.

It was made at b6aa263, the last commit that changed the first revision of the tables. What lies in `first/` is the
database, its key, and what that program answered to every document; none of it is ever made again.
"""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
)

from schema import build_schema
from schema.access import Principal, Role
from schema.field.registry import NOUNS
from sync.alert.post import Outcome
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.scan.record import Host, Service, apply_scan
from sync.organization.organizations import create_organization
from sync.runtime import DATABASE_FILE, KEY_FILE, Config
from tests.api.caller import Caller
from tests.api.rows import furnish
from tests.canary import canary_secret
from tests.end_to_end.installation import Installation
from tests.sync.entra.clock import FakeClock
from tests.upgrade.tenant import break_groups, change, tenant

FIRST = Path(__file__).parent / "first"
DATABASE, KEY, ANSWERS = FIRST / "rollcall.db.gz", FIRST / "first.key", FIRST / "answers.json.gz"
SEEN = "2026-11-20T04:05:06.123Z"
HOSTS = (
    Host(SEEN, ("web-1.corp.example",), ("10.0.0.1",), ("020000000001",), os="Linux", os_version="10.1", serial="s-1",
         detected_by="TCP", services=(Service(443, "tcp", "nginx 1.24"), Service(53, "udp"))),
    Host(SEEN, ("web-2",), ("10.0.0.2",), os="linux", os_version="9.3", type="Server", serial="S-2"),
    Host(SEEN, ("b\u00fcro-drucker",), ("10.0.0.3",), os="L\u00ednux", type="Printer", alive=False),
    Host(SEEN, ("Zebra",), ("10.0.0.4",)),
    Host(SEEN, ("old-1",), ("10.0.0.5",)),
    Host(SEEN, ("old-2",), ("10.0.0.6",)),
)  # fmt: skip
Answers = list[dict[str, Any]]


class Upgraded(Installation):
    """An installation whose tenant is as it was before the first sync, and whose alerts go nowhere."""

    clock: FakeClock

    def __init__(self, data_dir: Path) -> None:
        clock = FakeClock()
        super().__init__(tenant(clock), data_dir, clock)

    def config(self) -> Config:
        """Return what the product is opened with."""
        return replace(super().config(), alert_origins=("https://alerts.example",), post=_refuse)


async def _refuse(*_: object) -> Outcome:
    return Outcome(500)


def administrator(installation: Installation, organization_id: int = 1) -> Caller:
    """Return who asks."""
    return Caller(installation.runtime, Principal(1, organization_id, Role.ADMINISTRATOR, "upgrade"))


async def fill(installation: Upgraded) -> None:
    """Live through some days: syncs, deletions, a failure, scans, and what people do."""
    await installation.furnish()
    await installation.run()
    change(installation.simulator)
    installation.clock.moved_s += 3_600
    await installation.run()
    await _scan(installation)
    await _people(installation)
    break_groups(installation.simulator)
    await installation.run()
    installation.simulator.faults = None
    async with installation.runtime.store.write() as tx:
        await furnish(tx, await create_organization(tx, installation.clock, "Beta"), seed=16)
    # Nothing is written any more while the answers are read.
    await installation.runtime.alerts.stop()
    installation.runtime.indexer.wake()
    await installation.runtime.indexer.idle()


async def _scan(installation: Installation) -> None:
    place = AssetPlace(installation.organization_id, installation.site_id)
    async with installation.runtime.store.write() as tx:
        await tx.run_sync(apply_scan, installation.clock, place, HOSTS)


async def _people(installation: Installation) -> None:
    caller = administrator(installation)

    async def mutate(name: str, fields: str, /, **given: Any) -> Any:
        type_ = f"{name[0].upper()}{name[1:]}Input"
        text = f"mutation($input: {type_}!) {{ {name}(input: $input) {{ {fields} errors {{ message path }} }} }}"
        payload = (await caller.data(text, input=given))[name]
        assert payload["errors"] == [], (name, payload)
        return payload

    found = await caller.data("{ assets(first: 100) { nodes { id names azureAd { id } } } }")
    by_name = {name: asset["id"] for asset in found["assets"]["nodes"] for name in asset["names"]}
    synced = [asset["id"] for asset in found["assets"]["nodes"] if asset["azureAd"]]
    await mutate("mergeAssets", "asset { id }", into=by_name["old-1"], assets=[by_name["old-2"]])
    await mutate("mergeAssets", "asset { id }", into=synced[0], assets=[synced[1]])
    device = (await caller.data("query($id: ID!) { asset(by: {id: $id}) { azureAd { id } } }", id=synced[0]))["asset"]
    await mutate("splitAsset", "asset { id }", asset=synced[0], records=[device["azureAd"][-1]["id"]])
    await mutate("createSite", "site { id }", name="Zürich", description="second")
    await mutate("updateRetention", "organization { id }", staleAssets=90, runs=30)
    token = await mutate("createToken", "token { id }", name="reader", role="VIEWER")
    await mutate("createToken", "token { id }", name="Writer", role="USER")
    await mutate("revokeToken", "token { id }", token=token["token"]["id"])
    await mutate(
        "createWebhook",
        "webhook { id }",
        name="alerts",
        url="https://alerts.example/in",
        events=["RUN_FAILED"],
        secret=canary_secret("webhook-of-the-upgrade"),
    )
    person = {
        "clientId": "00000000-0000-0000-0000-000000000001",
        "tenantId": "contoso.example",
        "username": "person@contoso.example",
        "password": canary_secret("password-of-the-upgrade"),
    }
    kind = {"azureUsernamePassword": person}
    await mutate("createCredential", "credential { id }", name="Person", cloud="GLOBAL", kind=kind)


def documents() -> list[str]:
    """Write documents that ask for every field of every noun, and some filters and orders."""
    query = build_schema()._schema.query_type
    assert query is not None
    lists = []
    for name, field in query.fields.items():
        target = get_named_type(field.type).name
        if target.removesuffix("Connection") in NOUNS and target.endswith("Connection"):
            lists.append(f"{{ {name}(first: 200) {{ totalCount nodes {{ {_selection(target[:-10])} }} }} }}")
    filters = (
        '{ assets(where: {os: {contains: "linux"}}, orderBy: {field: LAST_SEEN}) { nodes { id } } }',
        "{ users(where: {accountEnabled: {eq: true}}, orderBy: {field: CREATED_AT}) { nodes { id } } }",
        '{ groups(search: "kind:security", first: 5) { totalCount nodes { id } pageInfo { hasNextPage } } }',
        '{ assets(search: "source:scan AND NOT port:443") { nodes { id } } }',
        "{ assetsAggregate(groupBy: {field: TYPE}) { totalCount groups { count keys { value } } } }",
        "{ changes(inventory: ASSETS, first: 500) { nodes { change id version node { id } } } }",
        "{ duplicates { nodes { key value assetCount assets { id } } } }",
        "{ webhooks { id name url events isEnabled deliveries { totalCount } } }",
    )
    return [*lists, *filters]


def _selection(noun: str) -> str:
    type_ = build_schema()._schema.type_map[noun]
    assert isinstance(type_, GraphQLObjectType)
    return " ".join(filter(None, map(_field, type_.fields, type_.fields.values())))


def _field(name: str, field: GraphQLField) -> str:
    named = get_named_type(field.type)
    if any(map(is_required_argument, field.args.values())) or isinstance(named, GraphQLUnionType):
        return ""
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return name
    if named.name.endswith("Connection"):
        inner = get_named_type(named.fields["nodes"].type)
        return f"{name}(first: 20) {{ totalCount nodes {{ id }} }}" if isinstance(inner, GraphQLObjectType) else ""
    if "id" in named.fields:
        return f"{name} {{ id }}"
    leaves = [leaf for leaf, inner in named.fields.items() if _is_leaf(inner)]
    return f"{name} {{ {' '.join(leaves)} }}" if leaves else ""


def _is_leaf(field: GraphQLField) -> bool:
    named = get_named_type(field.type)
    is_plain = isinstance(named, GraphQLEnumType) or not hasattr(named, "fields")
    return is_plain and not any(map(is_required_argument, field.args.values()))


async def ask_all(installation: Installation, texts: list[str]) -> Answers:
    """Ask every document in both organizations; an error is an answer as well."""
    answers = []
    for organization_id in (1, 2):
        caller = administrator(installation, organization_id)
        for text in texts:
            answer = await caller.execute(text)
            codes = [problem.code for problem in answer.problems]
            answers.append({"organization": organization_id, "query": text, "data": answer.data, "codes": codes})
    return answers


async def make(write: Callable[[Path, bytes], object]) -> None:
    """Make the database and the answers, and write them."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        installation = Upgraded(data_dir)
        await installation.open()
        await fill(installation)
        answers = await ask_all(installation, documents())
        await installation.close()
        with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("VACUUM")
        write(DATABASE, gzip.compress((data_dir / DATABASE_FILE).read_bytes(), 9, mtime=0))
        write(KEY, (data_dir / KEY_FILE).read_bytes())
    write(ANSWERS, gzip.compress(orjson.dumps(answers, option=orjson.OPT_INDENT_2), 9, mtime=0))


if __name__ == "__main__":
    FIRST.mkdir(exist_ok=True)
    asyncio.run(make(Path.write_bytes))
