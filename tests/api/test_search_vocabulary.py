"""Keywords of users, groups, tasks and sites that users of other products know: each with exactly its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.access import Principal, Role
from sync.runtime import Config, Runtime
from sync.store import tables
from tests.api.caller import Caller
from tests.api.office import ago, furnish_office
from tests.api.test_search_examples import found
from tests.api.world import World

M365_E3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"
POWER_BI = "f8a1db68-be16-40ed-86d5-cb42ce701560"
DEVICE = "00000000-0000-0000-0000-000000000001"
OBJECT = "00000000-0000-0000-0000-00000000000a"
WEEKLY = {"kind": "WEEKLY", "days": ["MONDAY"]}
# Table → a column that names its rows → row → what it has besides.
MORE: dict[Table, tuple[str, dict[str, dict[str, Any]]]] = {
    tables.users: (
        "external_id",
        {
            "x-ann": {"password_policies": "DisableStrongPassword, DisablePasswordExpiration",
                      "last_password_change_date_time": ago(500), "proxy_addresses": ["SMTP:ann@corp.example"]},
            "x-bob": {"password_policies": "None", "last_password_change_date_time": ago(20)},
        },
    ),
    tables.devices: (
        "external_id",
        {
            "x-device phone": {"device_id": DEVICE, "external_id": OBJECT, "updated_at": ago(1),
                               "alternative_security_ids": [{"type": 2, "key": "WAA1ADAA", "identityProvider": None}]},
            "x-device web-02": {"enrollment_profile_name": "Kiosk"},
        },
    ),
    tables.tasks: (
        "name",
        {
            "Nightly": {"schedule": WEEKLY, "frequency": "WEEKLY", "full_round_days": 7},
            "Once": {"schedule": {"kind": "ONCE"}, "frequency": "ONCE"},
            "Sweep": {"schedule": WEEKLY, "frequency": "WEEKLY",
                      "scan": {"targets": ["10.0.0.0/24"], "excludes": ["10.0.0.9"], "ports": None, "rate": 100,
                               "scanner": "NMAP", "azure_ad": False}},
        },
    ),
    tables.sites: ("name", {"Primary": {"scope": ["10.1.0.0/16", "192.168.7.5-20"]}}),
}  # fmt: skip
RAW = {
    "x-ann": {
        "assignedLicenses": [{"skuId": M365_E3, "disabledPlans": []}],
        "identities": [{"signInType": "federated", "issuer": "google.com", "issuerAssignedId": "ann-7"}],
    },
    "x-bob": {"assignedLicenses": [{"skuId": POWER_BI.upper(), "disabledPlans": [M365_E3]}]},
    "x-cem": {"assignedLicenses": []},
}


@pytest.fixture(scope="module")
async def directory(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """Return an administrator of the office with what its rows have besides."""
    runtime = await Runtime.open(Config(tmp_path_factory.mktemp("vocabulary") / "data"), run_tasks=False)
    try:
        async with runtime.store.write() as tx:
            await furnish_office(tx, 1, int(await tx.scalar(select(tables.sites.c.id)) or 0))
            await _furnish_more(tx)
        yield Caller(runtime, Principal(1, 1, Role.ADMINISTRATOR, "administrator"))
    finally:
        await runtime.close()


async def _furnish_more(tx: AsyncConnection) -> None:
    for table, (key, rows) in MORE.items():
        for name, values in rows.items():
            await tx.execute(update(table).where(table.c[key] == name).values(**values))
    for name, item in RAW.items():
        row = await tx.scalar(select(tables.users.c.id).where(tables.users.c.external_id == name))
        await tx.execute(insert(tables.raw).values(object_id=row, item=item))
    # Two tasks that are at work: one reads a directory, one was asked to stop.
    made = {"organization_id": 1, "created_at": ago(1), "updated_at": ago(1)}
    site = await tx.scalar(select(tables.sites.c.id))
    task = {**made, "site_id": site, "kind": "SCAN", "exclude_unknown": False, "include_inactive": False}
    task |= {"paused": False, "hidden": False}
    run = {**made, "trigger": "MANUAL", "attempt": 1, "progress": {}, "counts": {}, "requests": {}, "errors": []}
    for name, values in {
        "Busy": {"status": "RUNNING", "phase": "CONNECTING"},
        "Ending": {"status": "RUNNING", "phase": "PROCESSING", "stop_asked_at": ago(0)},
        "Waiting": {"status": "QUEUED"},
        "Halted": {"status": "STOPPED"},
        "Half": {"status": "PARTIAL"},
        "Held": {"status": "NEEDS_CONFIRMATION"},
    }.items():
        key = await tx.scalar(insert(tables.tasks).values(name=name, **task).returning(tables.tasks.c.id))
        await tx.execute(insert(tables.runs).values(task_id=key, **run, **values))


EXAMPLES = [
    # Users.
    ("users", "is_disabled:t", "bob dora"),
    ("users", "isDisabled:true", "bob dora"),
    ("users", "is_disabled:f", "ann cem"),
    ("users", "is_disabled:=", ""),
    ("users", "has:is_disabled", "ann bob cem dora"),
    ("assets", "owner.is_disabled:t", "fin-7-laptop"),
    ("users", "password_never_expires:t AND is_disabled:f", "ann"),
    ("users", "passwordNeverExpires:f", "bob cem dora"),
    ("users", "lastPasswordChangeDateTimeTS:>365d", "ann"),
    ("users", "last_password_change_date_time_ts:<365d", "bob"),
    ("users", "lastPasswordChangeDateTimeTS:0", "cem dora"),
    ("users", "created_atTS:<now", "ann bob cem dora"),
    ("users", "has_group:t", "ann bob"),
    ("users", "has_group:f", "cem dora"),
    ("users", "member_of:Admins", "ann bob"),
    ("users", "memberOf:sales", "bob"),
    ("users", "member_of:=", "cem dora"),
    ("users", "group_name:=%admin%", "ann bob"),
    ("users", "group_name:corp.example", ""),
    ("users", "organization:default", "ann bob cem dora"),
    ("users", "organization:=org_1 user_type:guest", "cem"),
    ("users", "NOT organization:default", ""),
    ("assets", "has_group:t", "fin-7-laptop fin-8-laptop"),
    ("assets", "member_of:laptops", "fin-7-laptop fin-8-laptop"),
    ("assets", "group_name:=sales", ""),
    # Objects in lists, by any of their texts; licences also by their names.
    ("users", f"license:={M365_E3}", "ann"),
    ("users", "license:SPE_E3", "ann"),
    ("users", 'license:"Microsoft 365 E3"', "ann"),
    ("users", 'license:="power bi pro"', "bob"),
    ("users", "assignedLicenses:power%pro", "bob"),
    ("users", "license:=power", ""),
    ("users", "license:nothing", ""),
    ("users", "license:=", "cem dora"),
    ("users", "identity:google.com", "ann"),
    ("users", "identity:=ann-7 identities:federated", "ann"),
    ("users", "proxy_addresses:ann@corp", "ann"),
    # Groups.
    ("groups", "organization:default user_count:0", "laptops empty"),
    ("groups", "member:ann", "admins"),
    ("groups", "created_at_ts:<60d", "admins sales laptops empty"),
    # Attributes of a source.
    ("assets", f'@azuread.dev.id:="{DEVICE}"', "phone"),
    ("assets", f'@azuread.dev.deviceId:="{DEVICE}"', "phone"),
    ("assets", f'@azuread.dev.azureId:="{OBJECT}"', "phone"),
    ("assets", f'@azuread.dev.id:="{OBJECT}"', ""),
    ("assets", "@AzureAD.DEV.isCompliant:f", "fin-7-laptop"),
    ("assets", "@EntraID.Dev.TRUSTTYPE:=serverad", "web-02 fin-7-laptop"),
    ("assets", "@azuread.dev.alternativeSecurityId.types:2", "phone"),
    ("assets", "@azuread.dev.alternativeSecurityId.keys:=waa1adaa", "phone"),
    ("assets", 'has:"@azuread.dev.alternativeSecurityId.keys"', "phone"),
    ("assets", "@azuread.dev.match.criteria:=name", "web-02 phone"),
    ("assets", "@azuread.dev.ts:<36hours", "phone"),
    ("assets", "@azuread.dev.approximateLastSignInDateTimeTS:>90d", "fin-7-laptop"),
    ("assets", 'has:"@azuread.dev.enrollmentProfileName"', "web-02"),
    ("assets", 'source:"Microsoft Entra ID" NOT source:scan', "fin-7-laptop fin-8-laptop phone"),
    ("assets", 'source:entra-id OR source:"ENTRA ID" OR source:AAD', "web-02 fin-7-laptop fin-8-laptop phone"),
    ("assets", 'source:"azure active directory"', "web-02 fin-7-laptop fin-8-laptop phone"),
    ("users", "source:EntraID", "ann bob cem dora"),
    ("assets", "attribute:profile", "web-02"),
    ("assets", "attribute:alternativeSecurity", "phone"),
    ("assets", "attribute:=mdmAppId", "web-02 fin-8-laptop phone"),
    ("assets", "attribute:mdm%id", "web-02 fin-8-laptop phone"),
    ("assets", "NOT attribute:trust_type", "web-01 ghost"),
    ("users", "attribute:licen", "ann bob"),
    # Words without a keyword.
    ("assets", "thinkpad", "fin-7-laptop"),
    ("assets", "S-1", "web-01"),
    ("assets", DEVICE, "phone"),
    ("assets", OBJECT.upper(), "phone"),
    ("assets", f"NOT {DEVICE} windows", "web-02 fin-7-laptop fin-8-laptop"),
    ("assets", f'{DEVICE} OR "thinkpad"', "fin-7-laptop phone"),
    ("assets", f"ios {DEVICE}", "phone"),
    ("assets", DEVICE.replace("1", "2"), ""),
    ("assets", DEVICE[:-1], ""),
    ("assets", f"device_id:{DEVICE[:-1]}", "phone"),
    ("assets", "NOT has:device_id type:mobile", ""),
    ("users", "sales", "bob cem"),
    ("users", "engineer research", "ann"),
    # Tasks.
    ("tasks", "recur:t AND status:active", "Nightly"),
    ("tasks", "recur:t", "Nightly Sweep"),
    ("tasks", "recur:f type:connector", "Once"),
    ("tasks", "status:active", "Nightly Busy Ending Waiting"),
    ("tasks", "status:paused", "Sweep"),
    ("tasks", "status:queued", "Waiting"),
    ("tasks", "status:running", "Busy Ending"),
    ("tasks", "status:connecting", "Busy"),
    ("tasks", "status:connected OR status:scanning", ""),
    ("tasks", "status:processing", "Ending"),
    ("tasks", "status:stopping", "Ending"),
    ("tasks", "status:stopped", "Halted"),
    ("tasks", "status:processed", "Sweep"),
    ("tasks", "status:error", "Nightly Half"),
    ("tasks", "status:failed OR status:canceled", "Nightly"),
    ("tasks", "status:partial", "Half"),
    ("tasks", "status:needs_confirmation", "Held"),
    ("tasks", "status:new", "Once"),
    ("tasks", "status:scheduled", "Nightly"),
    ("tasks", "recur_frequency:weekly", "Nightly Sweep"),
    ("tasks", "recur_frequency:once", "Once"),
    ("tasks", "recur_frequency:= type:scan", "Busy Ending Waiting Halted Half Held"),
    ("tasks", "recur_next:<1day", "Nightly"),
    ("tasks", "recur_last:0", "Once"),
    ("tasks", "params:10.%.%.%", "Sweep"),
    ("tasks", 'params:"10.0.0.9"', "Sweep"),
    ("tasks", 'params:"fullRoundDays"', "Nightly"),
    ("tasks", "organization:default recur_frequency:weekly", "Nightly Sweep"),
    ("taskRuns", "parent_id:task_1 error:graph", "FAILED"),
    ("tasks", "error:=throttled", "Nightly"),
    ("tasks", "throttled", "Nightly"),
    ("taskRuns", "error:true", ""),
    ("taskRuns", "parent_id:=", ""),
    # Sites.
    ("sites", "scope:10.0.0.0/8", "Primary"),
    ("sites", "scope:10.1.2.3", "Primary"),
    ("sites", "scope:192.168.7.16/30", "Primary"),
    ("sites", "scope:192.168.7.64/30", ""),
    ("sites", "scope:fd00::/8", ""),
    ("sites", '"10.1" OR scope:"192.168.7.5"', "Primary"),
    ("sites", "scope:=", ""),
]


@pytest.mark.parametrize(("inventory", "text", "names"), EXAMPLES)
async def test_keyword_of_another_product_finds_its_rows(
    directory: Caller, inventory: str, text: str, names: str
) -> None:
    """A saved query means here what it meant there: these rows and no others."""
    assert await found(directory, inventory, search=text) == names


REFUSED = [
    ("users", "password_expired:t", "not collected"),
    ("users", "has:passwordExpired", "not collected"),
    ("users", "last_logon_at:>90days", "not collected"),
    ("tasks", "status:scanned", "status:processing"),
    ("tasks", "status:sleeping", "none of the values"),
    ("tasks", "template_id:x", "no task templates"),
    ("tasks", "parent_id:task_1", "task runs"),
    ("tasks", "recur_frequency:yearly", "none of the values"),
    ("taskRuns", "parent_id:00000000-0000-0000-0000-000000000001", "not an id"),
    ("sites", "excludes:10.0.0.1", "no excludes"),
    ("assets", "match:foreign-id", "deviceId"),
    ("assets", "@azuread.dev.match.criteria:=foreign-id", "deviceId"),
    ("assets", "@azuread.dev.nothing:x", "no keyword"),
    ("assets", "attribute:nothingofthesort", "no source has"),
    ("assets", "attribute:trustTpye", "trustType"),
]


@pytest.mark.parametrize(("inventory", "text", "told"), REFUSED)
async def test_keyword_that_cannot_be_answered_is_refused_by_name(
    directory: Caller, inventory: str, text: str, told: str
) -> None:
    """An empty list would be read as good news: the error says what there is not, and what to write."""
    answer = await directory.ask(f"query($s: String) {{ {inventory}(search: $s) {{ totalCount }} }}", s=text)
    assert answer.code == "BAD_SEARCH"
    problem = answer.problems[0]
    assert told.casefold() in f"{problem.message} {problem.hint}".casefold()


WHERES: list[tuple[str, dict[str, Any], str]] = [
    ("users", {"passwordNeverExpires": {"eq": True}}, "ann"),
    ("users", {"assignedLicenses": {"has": "spe_e3"}}, "ann"),
    ("users", {"assignedLicenses": {"hasAny": ["Power BI Pro", "nothing"]}}, "bob"),
    ("users", {"assignedLicenses": {"hasAll": ["Power BI Pro", "POWER_BI_PRO", POWER_BI]}}, "bob"),
    ("users", {"assignedLicenses": {"hasAll": ["Power BI Pro", "SPE_E3"]}}, ""),
    ("users", {"assignedLicenses": {"isEmpty": True}}, "cem dora"),
    (
        "users",
        {"attributes": [{"source": "azuread", "name": "assignedLicenses", "startsWith": "Microsoft 365"}]},
        "ann",
    ),
    ("users", {"identities": {"has": "federated"}}, "ann"),
    ("users", {"passwordNeverExpires": {"ne": True}}, "bob cem dora"),
    ("tasks", {"recurFrequency": {"in": ["WEEKLY"]}, "paused": {"eq": False}}, "Nightly"),
    ("tasks", {"params": {"contains": '"10.0.0.0/24"'}}, "Sweep"),
    ("tasks", {"recurring": {"eq": True}}, "Nightly Sweep"),
    ("sites", {"scope": {"inNetwork": ["10.0.0.0/8"]}}, "Primary"),
    ("sites", {"scope": {"inNetwork": ["10.2.0.0/16"]}}, ""),
    ("sites", {"scope": {"isEmpty": True}}, ""),
    ("assets", {"azureAd": {"some": {"alternativeSecurityIdTypes": {"hasAny": [2, 3]}}}}, "phone"),
    ("assets", {"attributes": [{"source": "entra id", "name": "azureId", "eq": OBJECT}]}, "phone"),
    ("assets", {"attributes": [{"source": "azuread", "name": "id", "eq": DEVICE}]}, "phone"),
]


@pytest.mark.parametrize(("inventory", "where", "names"), WHERES)
async def test_where_has_the_same_vocabulary(
    directory: Caller, inventory: str, where: dict[str, Any], names: str
) -> None:
    """What is a plain value is a typed filter as well, with the same rows."""
    assert await found(directory, inventory, where=where) == names


SYNCED = [
    ("users", "is_disabled:t"), ("users", "password_never_expires:t"), ("users", "has_group:t"),
    ("users", 'license:"Office 365 E3"'), ("users", "lastPasswordChangeDateTimeTS:>30d"),
    ("users", "identity:=userPrincipalName"),
    ("groups", "license:SPE_E3"), ("assets", "@azuread.dev.alternativeSecurityId.types:2"),
    ("assets", 'has:"@azuread.dev.alternativeSecurityId.keys"'), ("assets", "@azuread.dev.match.criteria:new"),
    ("assets", "@azuread.dev.ts:<now"), ("assets", "attribute:enrollment"), ("assets", "has_group:t"),
]  # fmt: skip


@pytest.mark.parametrize(("inventory", "text"), SYNCED)
async def test_simulated_tenant_has_rows_for_a_keyword(world: World, inventory: str, text: str) -> None:
    """An example that is tried on the demo finds rows, so that one sees what it means."""
    document = (
        f"query($s: String) {{ some: {inventory}(search: $s) {{ totalCount }} all: {inventory} {{ totalCount }} }}"
    )
    data = await world.caller().data(document, s=text)
    assert 0 < data["some"]["totalCount"] <= data["all"]["totalCount"]


@pytest.mark.parametrize("order", ["", "orderBy: [{field: NAME}]", "orderBy: [{field: MODEL, direction: DESC}]"])
async def test_word_that_is_an_id_of_a_device_finds_its_asset_in_any_order(directory: Caller, order: str) -> None:
    """The index of texts and what it does not know lead to the same rows, whichever way the page is read."""
    text = f"query($s: String!) {{ assets(search: $s, first: 9 {order}) {{ nodes {{ name }} totalCount }} }}"
    for search, names in ((DEVICE, {"phone"}), (f"{DEVICE} OR linux", {"phone", "web-01"})):
        found = (await directory.data(text, s=search))["assets"]
        assert {node["name"] for node in found["nodes"]} == names
        assert found["totalCount"] == len(names)


async def test_users_and_tasks_tell_what_they_are_searched_by(directory: Caller) -> None:
    """Whether a password never expires and how often a task comes due are fields, to read, sort and count by."""
    text = """{
      users(orderBy: [{field: PASSWORD_NEVER_EXPIRES, direction: DESC}, {field: DISPLAY_NAME}], first: 2) {
        nodes { displayName passwordNeverExpires }
      }
      usersAggregate(groupBy: [{field: PASSWORD_NEVER_EXPIRES}]) { groups { count keys { value } } }
      tasks(search: "name:nightly") { nodes { recurFrequency } }
    }"""
    data = await directory.data(text)
    assert [node["passwordNeverExpires"] for node in data["users"]["nodes"]] == [True, False]
    counts = {group["keys"][0]["value"]: group["count"] for group in data["usersAggregate"]["groups"]}
    assert counts == {True: 1, False: 3}
    assert data["tasks"]["nodes"] == [{"recurFrequency": "WEEKLY"}]
