"""Search texts and filters by example: each with exactly the rows it must return."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from schema.access import Principal, Role
from sync.runtime import Config, Runtime
from sync.store import tables
from tests.api.caller import Caller
from tests.api.office import furnish_office

NAME = {"assets": "name", "users": "externalId", "groups": "externalId", "tasks": "name", "credentials": "name"}
NAME |= {"sites": "name", "organizations": "name", "taskRuns": "status"}
ALL_ASSETS = "web-01 web-02 fin-7-laptop fin-8-laptop phone ghost"


@pytest.fixture(scope="module")
async def office_of_names(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """Return an administrator of an organization with the rows of tests/api/office.py."""
    runtime = await Runtime.open(Config(tmp_path_factory.mktemp("names") / "data"), run_tasks=False)
    try:
        async with runtime.store.write() as tx:
            site = int(await tx.scalar(select(tables.sites.c.id)) or 0)
            await furnish_office(tx, 1, site)
        yield Caller(runtime, Principal(1, 1, Role.ADMINISTRATOR, "administrator"))
    finally:
        await runtime.close()


async def found(caller: Caller, inventory: str, **given: Any) -> str:
    """Return the names of the rows found, in the order of the office."""
    types = {"search": "String", "where": f"{inventory[0].upper()}{inventory[1:].removesuffix('s')}Where"}
    declared = ", ".join(f"${name}: {types[name]}" for name in given)
    passed = ", ".join(f"{name}: ${name}" for name in given)
    text = f"query({declared}) {{ {inventory}({passed}) {{ nodes {{ {NAME[inventory]} }} totalCount }} }}"
    rows = (await caller.data(text, **given))[inventory]
    names = [node[NAME[inventory]].removeprefix("x-") for node in rows["nodes"]]
    assert rows["totalCount"] == len(names)
    return " ".join(names)


EXAMPLES = [
    # Those of the design.
    ("assets", "source:azuread", "web-02 fin-7-laptop fin-8-laptop phone"),
    ("assets", "source:scan AND NOT source:azuread", "web-01 ghost"),
    ("assets", "source:runzero not source:azuread (type:server OR type:desktop OR type:laptop) alive:t", "web-01"),
    ("assets", '((type:laptop or type:server) and (OS:"Windows" or OS:"linux") and not source:azuread)', "web-01"),
    ("assets", "source_count:>1", "web-02"),
    # What an asset is: system, hardware, end of support, networks.
    ("assets", 'os:nano os:="Microsoft Windows Na%"', "web-02"),
    ("assets", "os.vendor:=microsoft OR os.product:ubuntu", "web-01 web-02"),
    ("assets", 'hw:"Dell PowerEdge" OR hardware:thinkpad', "web-01 fin-7-laptop"),
    ("assets", "hw.vendor:lenovo OR (hw.product:r740 serial_number:S-1)", "web-01 fin-7-laptop"),
    ("assets", "(os:ios OR os:ipados) AND NOT type:tablet", "phone"),
    ("assets", "os_eol:<now", "web-02"),
    ("assets", "os_eol:>now os_eol_extended:0", "web-01"),
    ("assets", "multi_home:t mac_vendor:contoso", "web-01"),
    ("assets", "has_public_v4:t NOT has_public_v6:t", "web-01"),
    ("assets", 'os:="Windows 10%" AND os_version:<10.0.19045', "fin-7-laptop"),
    ("assets", "@azuread.dev.accountEnabled:false", "fin-7-laptop"),
    ("assets", "@azuread.dev.trustType:ServerAd @azuread.dev.approximateLastSignInDateTimeTS:>90days", "fin-7-laptop"),
    ("assets", 'has:"@azuread.dev.mdmAppId" AND NOT @azuread.dev.isCompliant:t', "phone"),
    ("assets", 'first_seen:"<2weeks"', "web-02"),
    ("assets", 'last_seen:<"2weeks"', "web-01 web-02"),
    ("assets", "created_at:>2019-08-01", ALL_ASSETS),
    ("assets", "has_mac:f AND has_name:f AND os:= AND hardware:=", "ghost"),
    ("assets", "net:10.0.0.0/8 OR address:192.168.1.7", "web-01 web-02 fin-7-laptop"),
    ("assets", 'name:="web-__"', "web-01 web-02"),
    ("assets", 'name:"fin%-laptop"', "fin-7-laptop fin-8-laptop"),
    ("users", 'accountEnabled:f AND group:"Domain Admins"', "bob"),
    ("users", "group_count:=0", "cem dora"),
    ("groups", "user_count:>1000 OR (kind:security AND NOT has:owner)", "laptops"),
    ("tasks", "type:connector recur:t status:error", "Nightly"),
    ("tasks", "created_at:<90days and not type:scan and recur:=false", "Once"),
    ("credentials", "type:azure_client_secret last_used_at:0 secret_expires:<30days", "Unused"),
    # Words, quotes, wildcards, letter case, escapes.
    ("assets", "", ALL_ASSETS),
    ("assets", "  \n ", ALL_ASSETS),
    ("assets", "windows", "web-02 fin-7-laptop fin-8-laptop"),
    ("assets", "WINDOWS 2022", "web-02"),
    ("assets", "10.0.0.5", "web-01"),
    ("assets", "10.0.0.0/30", ""),
    ("assets", '"aa:bb:cc:00:00:02"', "web-02"),
    ("assets", "web\\-01", "web-01"),
    ("assets", 'hw:"thinkpad%100"', "fin-7-laptop"),
    ("assets", r"hw:100\%", "fin-7-laptop"),
    ("assets", r"model:thinkpad\_x1", "fin-7-laptop"),
    ("assets", r"model:think\_pad", ""),
    ("assets", "hw.vendor:=dell", "web-01"),
    ("assets", "hw:=del", ""),
    ("assets", r'comment:"\"hi\" (twice)"', "fin-8-laptop"),
    ("assets", "comment:=", "web-01 web-02 fin-7-laptop phone ghost"),
    ("assets", "NOT comment:=", "fin-8-laptop"),
    ("assets", "os:linux\nOR\tos:ios", "web-01 phone"),
    ("assets", "os:linux or os:ios and type:mobile", "web-01 phone"),
    ("assets", "(os:linux or os:ios) and type:mobile", "phone"),
    ("assets", "NOT NOT os:ios", "phone"),
    ("assets", "not (os:windows or os:linux)", "phone ghost"),
    # Bool, number, version, time.
    ("assets", "alive:t", "web-01"),
    ("assets", "online:=no", "web-02"),
    ("assets", "NOT alive:t", "web-02 fin-7-laptop fin-8-laptop phone ghost"),
    ("assets", "alive:=", "fin-7-laptop fin-8-laptop phone ghost"),
    ("assets", "source_count:2", "web-02"),
    ("assets", "source_counts:<=1", "web-01 fin-7-laptop fin-8-laptop phone ghost"),
    ("assets", "os_version:>=10.0.19045", "web-01 web-02 fin-8-laptop phone"),
    ("assets", "os_version:>=17.1.0.0 os_version:<22.5", "web-01 phone"),
    ("assets", "os_version:10.0", "web-02 fin-7-laptop fin-8-laptop"),
    ("assets", "os_version:=17.1", "phone"),
    ("assets", "last_seen:>90days", "fin-7-laptop"),
    ("assets", "last_seen:0", "phone ghost"),
    ("assets", "NOT last_seen:0 last_seen:>1mo", "fin-7-laptop"),
    ("assets", "last_seen:<now", "web-01 web-02 fin-7-laptop fin-8-laptop"),
    ("assets", "last_seen:>now", ""),
    ("assets", "first_seen:<1/1/2000", ""),
    ("assets", "first_seen:>1/1/2000", "web-01 web-02 fin-7-laptop"),
    ("assets", "first_seen:>2000-01-01T10:00:00Z has:last_seen", "web-01 web-02 fin-7-laptop"),
    ("credentials", "secret_expires:<30days AND secret_expires:>now", "Directory Unused"),
    ("credentials", "secret_expires:<now", "Old"),
    ("credentials", "secret_expires:<15days", "Directory Old"),
    ("credentials", "secret_expires:>15days", "Unused"),
    ("credentials", "verified:t", "Old"),
    ("credentials", "kind:azure-username-password", "Old"),
    # Addresses, lists per element, sources.
    ("assets", "address:10.0.0.6", "web-02"),
    ("assets", "address:10.0.0", "web-01 web-02"),
    ("assets", "net:192.168.0.0/16", "fin-7-laptop"),
    ("assets", "has_public:t", "web-01"),
    ("assets", "haspublic:f has_private:t", "web-02 fin-7-laptop ghost"),
    ("assets", "has_ipv6:t", "ghost"),
    ("assets", "net:fe80::/10", "ghost"),
    ("assets", "names:www.corp.example", "web-01"),
    ("assets", "hostname:=www", ""),
    ("assets", "tag:prod tag:dmz", "web-01"),
    ("assets", "tags:=prod", "web-01 web-02"),
    ("assets", "domain:corp.example", "web-01"),
    ("assets", 'source:"Azure AD" source:rumble', "web-02"),
    ("assets", "criticality:HIGH", "web-01"),
    # Lists of values, quotes of every kind, notations of addresses.
    ("assets", "tcp_port:22,53", "web-01 web-02"),
    ("assets", "NOT type:server,laptop", "phone ghost"),
    ("assets", 'os:=“Ubuntu Linux”,"Windows Server 2022"', "web-01 web-02"),
    ("assets", "os:'ubuntu linux' OR «server 2022»", "web-01 web-02"),
    ("assets", "mac:aa-bb-cc-00-00-01", "web-01"),
    ("assets", "mac:aabb.cc00.0002,AABBCC000001", "web-01 web-02"),
    ("assets", "mac:aabbcc", "web-01 web-02"),
    ("assets", "ip:10.0.0.5-10.0.0.6 NOT net:10.0.0.6-10.0.0.9", "web-01"),
    ("assets", "first_seen:>0", "web-01 web-02 fin-7-laptop"),
    ("assets", "NOT last_seen:>0", "phone ghost"),
    ("users", "department:=Sales,Research", "ann bob cem"),
    # Attributes of a source.
    ("assets", "trustType:=serverad", "web-02 fin-7-laptop"),
    ("assets", "isCompliant:f", "fin-7-laptop"),
    ("assets", "NOT isCompliant:t", "web-01 fin-7-laptop phone ghost"),
    ("assets", "@entra.dev.operatingSystemVersion:<10.0.19045", "fin-7-laptop"),
    ("assets", "@azuread.dev.physicalIds:hwid", "fin-8-laptop"),
    ("assets", "@azuread.dev.extensionAttributes.extensionAttribute1:kiosk", "fin-7-laptop"),
    ("assets", "extensionAttribute2:= NOT extensionAttribute1:=", "fin-7-laptop"),
    ("assets", "NOT attribute:trustType", "web-01 ghost"),
    # What scans found, how records were matched.
    ("assets", "tcp_port:22", "web-01"),
    ("assets", "port:53", "web-01 web-02"),
    ("assets", "udp_port:=53 ports:>8000", "web-01"),
    ("assets", "port:80", ""),
    ("assets", "has:udp_port", "web-01"),
    ("assets", "NOT has:port", "fin-7-laptop fin-8-laptop phone ghost"),
    ("assets", "transport:udp", "web-01"),
    ("assets", "protocol:http", "web-01"),
    ("assets", "protocol:ssh NOT port:22", ""),
    ("assets", "protocol:dns NOT udp:53", "web-02"),
    ("assets", "transport:udp port:53", "web-01"),
    ("assets", "protocol:tls AND product:nginx", "web-01"),
    ("assets", "tcp:8080", "web-01"),
    ("assets", "udp_count:>0", "web-01"),
    ("assets", "service_count_tcp:0 AND scanned:t", "ghost"),
    ("assets", "tcp_count:>=2", "web-01"),
    ("assets", "service_has_public:t", "web-01"),
    ("assets", "service.product:nginx _service.port:22 service.transport:udp", "web-01"),
    ("assets", "_service.protocol:ssh _asset.protocol:tls _asset.service.protocol:http", "web-01"),
    ("assets", "has:protocol service_has_public:f", "web-02"),
    ("assets", "protocol:= scanned:t", "ghost"),
    ("assets", "nginx AND product:=openssh", "web-01"),
    ("assets", "has:product", "web-01"),
    ("assets", "port:53 product:=", "web-02"),
    ("assets", "service_count:3", "web-01"),
    ("assets", "service_count:<1", "fin-7-laptop fin-8-laptop phone ghost"),
    ("assets", "detected_by:arp OR @scan.dev.detected_by:icmp", "web-02 ghost"),
    ("assets", "match:=name", "web-02 phone"),
    ("assets", "match:mac OR match:new", "web-01 web-02 ghost"),
    # Relations, one in another.
    ("assets", "registered_users:ann", "phone"),
    ("assets", "owners:bob OR owner_count:=0", "web-01 web-02 fin-7-laptop ghost"),
    ("assets", "registered_user_count:>0", "phone"),
    ("users", "direct_reports:cem", "bob"),
    ("users", "has:direct_reports NOT has:manager", "ann"),
    ("users", "direct_report_count:1 owned_group:sales", "bob"),
    ("users", "asset_count:2", "ann"),
    ("users", "asset_count:0", "dora"),
    ("groups", "members:ann", "admins"),
    ("groups", "member:fin-8 OR members:sales", "admins laptops"),
    ("groups", "NOT has:member", "empty"),
    ("groups", "member:=", "empty"),
    ("groups", "asset_count:2 group_count:0", "laptops"),
    ("groups", "owner_count:1 group_count:>0", "admins"),
    ("tasks", "error:wait", "Nightly"),
    ("tasks", "wait", "Nightly"),
    ("tasks", "has:error OR run_count:0", "Nightly Once"),
    ("organizations", "asset_count:6", "Default"),
    ("organizations", "asset_count:<6", ""),
    ("assets", "owner:ann", "fin-8-laptop"),
    ("assets", "user:ann@corp.example", "fin-8-laptop phone"),
    ("assets", "owner:=", "web-01 web-02 ghost"),
    ("assets", "has:owner", "fin-7-laptop fin-8-laptop phone"),
    ("assets", "owner.accountEnabled:f", "fin-7-laptop"),
    ("assets", "owner.manager.name:alder", "fin-7-laptop"),
    ("assets", "owners.department:sales", "fin-7-laptop phone"),
    ("assets", "group:laptops asset.type:laptop", "fin-7-laptop fin-8-laptop"),
    ("assets", "group_id:x-laptops group_count:1", "fin-7-laptop fin-8-laptop"),
    ("assets", "NOT site:nowhere", ALL_ASSETS),
    ("assets", "site:nowhere OR task:nowhere OR organization:nowhere", ""),
    ("assets", "task:nightly", ALL_ASSETS),
    ("users", "manager:ann", "bob"),
    ("users", "NOT has:manager", "ann dora"),
    ("users", "group_id:x-admins", "ann bob"),
    ("users", "user_id:=x-ann", "ann"),
    ("users", "asset:fin", "ann bob"),
    ("users", "upn:_ext@", "cem"),
    ("users", r"title:100\%", "bob"),
    ("users", "phone:555", "ann bob"),
    ("users", "phone:=", "cem dora"),
    ("users", "ünal", "cem"),
    ("users", '"dora (admin)"', "dora"),
    ("users", "first_name:ann last_name:alder company:corp location:building", "ann"),
    ("users", "user_type:guest OR employee_id:e-1", "ann cem"),
    ("users", "source:entra enabled:t", "ann cem"),
    ("users", "group_count:>1", "bob"),
    ("groups", "member_count:3", "admins"),
    ("groups", "member_count:0 OR user_count:=1", "sales empty"),
    ("groups", "user:bob", "admins sales"),
    ("groups", "user_id:x-ann", "admins"),
    ("groups", "owner.accountEnabled:f", "sales"),
    ("groups", "group:sales", "admins"),
    ("groups", "member_of:admins", "sales"),
    ("groups", "asset:fin-7", "laptops"),
    ("groups", "dynamic:t OR visibility:public", "sales laptops"),
    ("groups", "description:=", "sales laptops empty"),
    ("groups", "type:microsoft365 OR kind:distribution", "sales empty"),
    ("tasks", "status:scheduled", "Nightly"),
    ("tasks", "status:new", "Once"),
    ("tasks", "status:paused OR paused:t", "Sweep"),
    ("tasks", "status:succeeded", "Sweep"),
    ("tasks", "last_run:0 NOT last_run:>0", "Once"),
    ("tasks", "last_run.error:wait last_run:>0", "Nightly"),
    ("tasks", "source:scan", "Sweep"),
    ("tasks", "credential:directory has:next_run", "Nightly"),
    ("tasks", "hand", "Once"),
    ("sites", "asset_count:6", "Primary"),
    ("sites", "asset_count:<6", ""),
    ("taskRuns", "task:nightly status:failed error:graph", "FAILED"),
]


@pytest.mark.slow(cases=40)
@pytest.mark.parametrize(("inventory", "text", "names"), EXAMPLES)
async def test_search_returns_its_rows_for_an_example(
    office_of_names: Caller, inventory: str, text: str, names: str
) -> None:
    """The text means what docs/search.md says: these rows and no others."""
    assert await found(office_of_names, inventory, search=text) == names


WHERES: list[tuple[str, dict[str, Any], str]] = [
    ("assets", {"owners": {"some": {"accountEnabled": {"eq": False}}}}, "fin-7-laptop"),
    ("assets", {"owners": {"every": {"accountEnabled": {"eq": True}}}}, "web-01 web-02 fin-8-laptop phone ghost"),
    ("assets", {"owners": {"none": {"department": {"eq": "Sales"}}}}, "web-01 web-02 fin-8-laptop ghost"),
    ("assets", {"owners": {"exists": True, "none": {"department": {"eq": "Sales"}}}}, "fin-8-laptop"),
    ("groups", {"owners": {"exists": False}}, "laptops empty"),
    ("users", {"groups": {"exists": False}}, "cem dora"),
    ("users", {"groups": {"count": {"gte": 1, "lt": 2}}}, "ann"),
    ("users", {"manager": {"manager": {"displayName": {"contains": "ann"}}}}, "cem"),
    ("users", {"not": {"manager": {"and": []}}}, "ann dora"),
    ("users", {"directReports": {"some": {"directReports": {"exists": True}}}}, "ann"),
    ("groups", {"groups": {"some": {"users": {"some": {"displayName": {"startsWith": "bob"}}}}}}, "admins"),
    ("assets", {"site": {"name": {"eq": "Primary"}}, "type": {"eq": "Mobile"}}, "phone"),
    ("assets", {"azureAd": {"some": {"trustType": {"eq": "ServerAd"}}}}, "web-02 fin-7-laptop"),
    ("assets", {"azureAd": {"exists": False}}, "web-01 ghost"),
    ("assets", {"attributes": [{"source": "azuread", "name": "trustType", "eq": "ServerAd"}]}, "web-02 fin-7-laptop"),
    ("assets", {"attributes": [{"source": "entra", "name": "mdmappid", "exists": False}]}, "web-01 fin-7-laptop ghost"),
    (
        "assets",
        {"attributes": [{"source": "azuread", "name": "approximateLastSignInDateTime", "olderThan": "P30D"}]},
        "fin-7-laptop",
    ),
    (
        "assets",
        {"attributes": [{"source": "azuread", "name": "operatingSystemVersion", "lt": "10.0.10000"}]},
        "fin-7-laptop",
    ),
    ("assets", {"attributes": [{"source": "azuread", "name": "isCompliant", "eq": "true"}]}, "web-02 fin-8-laptop"),
    ("assets", {"attributes": [{"source": "azuread", "name": "physicalIds", "contains": "hwid"}]}, "fin-8-laptop"),
    ("assets", {"attributes": [{"source": "azuread", "name": "mdmAppId", "isNull": True}]}, "fin-7-laptop"),
    (
        "assets",
        {"attributes": [{"source": "azuread", "name": "trustType", "notIn": ["ServerAd"]}]},
        "fin-8-laptop phone",
    ),
    ("assets", {"attributes": [{"source": "azuread", "name": "isManaged", "isNull": False}]}, ""),
    ("assets", {"attributes": [{"source": "azuread", "name": "physicalIds", "isNull": False}]}, "fin-8-laptop"),
    (
        "assets",
        {"attributes": [{"source": "azuread", "name": "physicalIds", "ne": "[hwid]:h:9", "notIn": ["x"]}]},
        "web-02 fin-7-laptop phone",
    ),
    ("assets", {"attributes": [{"source": "scan", "name": "tcpPorts", "gt": "8000"}]}, "web-01"),
    ("assets", {"attributes": [{"source": "scan", "name": "detected_by", "in": ["ARP", "ICMP"]}]}, "web-02 ghost"),
    ("users", {"attributes": [{"source": "entra", "name": "department", "eq": "Sales"}]}, "bob cem"),
    ("users", {"attributes": [{"source": "azuread", "name": "userType", "exists": False}]}, "dora"),
    ("groups", {"attributes": [{"source": "azuread", "name": "visibility", "isNull": False}]}, "sales"),
    ("assets", {"sources": {"has": "SCAN"}}, "web-01 web-02 ghost"),
    ("assets", {"sources": {"hasAll": ["azuread", "scan"]}}, "web-02"),
    ("assets", {"sources": {"isEmpty": True}}, ""),
    ("assets", {"scan": {"some": {"tcpPorts": {"hasAll": [22, 8080, 22]}}}}, "web-01"),
    ("assets", {"scan": {"some": {"tcpPorts": {"hasAny": [53, 443]}}}}, "web-02"),
    ("assets", {"scan": {"some": {"udpPorts": {"isEmpty": True}}}}, "web-02 ghost"),
    ("assets", {"scan": {"some": {"ports": {"gt": 22, "lte": 53}}}}, "web-01 web-02"),
    ("assets", {"scan": {"some": {"products": {"hasAny": ["NGINX"]}, "serviceCount": {"eq": 3}}}}, "web-01"),
    ("assets", {"scan": {"some": {"protocols": {"hasAll": ["TLS", "http"]}}}}, "web-01"),
    ("assets", {"scan": {"some": {"transports": {"has": "tcp"}}}}, "web-01 web-02"),
    ("assets", {"tcpCount": {"gte": 1}, "udpCount": {"eq": 0}, "serviceHasPublic": {"eq": False}}, "web-02"),
    ("assets", {"serviceCount": {"in": [1, 3]}, "scan": {"none": {"matchedBy": {"eq": "mac"}}}}, "web-02"),
    ("assets", {"osVersion": {"gte": "10.0.19045", "lt": "11"}}, "web-02 fin-8-laptop"),
    ("assets", {"addresses": {"inNetwork": ["10.0.0.0/8", "fe80::/10"]}}, "web-01 web-02 ghost"),
    ("assets", {"lastSeen": {"newerThan": "14d"}}, "web-01 web-02"),
    ("assets", {"lastSeen": {"olderThan": "1 month"}}, "fin-7-laptop"),
    ("credentials", {"secretExpiresAt": {"newerThan": "0s"}}, "Directory Unused"),
    ("tasks", {"lastRun": {"status": {"eq": "FAILED"}}}, "Nightly"),
    ("tasks", {"recurring": {"eq": False}, "runs": {"exists": False}}, "Once"),
]


@pytest.mark.slow(cases=15)
@pytest.mark.parametrize(("inventory", "where", "names"), WHERES)
async def test_where_returns_its_rows_when_it_crosses_relations(
    office_of_names: Caller, inventory: str, where: dict[str, Any], names: str
) -> None:
    """Relations, attributes of sources, versions, networks and ages are filtered by as the schema describes."""
    assert await found(office_of_names, inventory, where=where) == names


async def test_search_and_where_both_hold_when_both_are_given(office_of_names: Caller) -> None:
    """A list that is given both returns what satisfies both."""
    where = {"osVersion": {"gte": "10.0.19045"}}
    assert await found(office_of_names, "assets", where=where, search="os:windows") == "web-02 fin-8-laptop"


async def test_search_narrows_a_nested_list_when_it_is_given_one(office_of_names: Caller) -> None:
    """Every list takes a search, the ones of relations too."""
    text = '{ groups(search: "name:admins") { nodes { users(search: "enabled:f") { nodes { externalId } } } } }'
    data = await office_of_names.data(text)
    assert data["groups"]["nodes"] == [{"users": {"nodes": [{"externalId": "x-bob"}]}}]


async def test_filter_reaches_no_credential_when_the_role_may_not_read_them(office_of_names: Caller) -> None:
    """Neither a typed filter nor a search tells a viewer what a credential holds."""
    viewer = office_of_names.of(Role.VIEWER)
    where = '{ tasks(where: { credential: { clientId: { startsWith: "c" } } }) { totalCount } }'
    assert (await viewer.ask(where)).code == "FORBIDDEN"
    for search in ("credential:directory", "credential.client_id:c", "has:credential"):
        text = "query($s: String) { tasks(search: $s) { totalCount } }"
        assert (await viewer.ask(text, s=search)).code == "FORBIDDEN"


async def test_cursor_stays_valid_while_time_passes_when_a_search_is_relative(office_of_names: Caller) -> None:
    """`<5000days` is the same filter a moment later: the second page belongs to the first."""
    text = """query($s: String!, $after: String) {
      assets(search: $s, first: 4, after: $after) { nodes { name } pageInfo { endCursor hasNextPage } }
    }"""
    search, seen, after = "created_at:<5000days", [], None
    for _ in range(2):
        page = (await office_of_names.data(text, s=search, after=after))["assets"]
        seen += [node["name"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert " ".join(seen) == ALL_ASSETS
    other = await office_of_names.ask(text, s="created_at:<5001days", after=after)
    assert other.code == "BAD_CURSOR"


async def test_search_that_is_wrong_is_refused_with_its_place(office_of_names: Caller) -> None:
    """A list whose search has a mistake says BAD_SEARCH and where."""
    text = "query($s: String) { assets(search: $s) { totalCount } }"
    answer = await office_of_names.ask(text, s="os:linux\nnope:1")
    assert answer.code == "BAD_SEARCH"
    facts = answer.problems[0].facts
    assert (facts["line"], facts["column"], facts["offset"], facts["length"]) == (2, 1, 9, 6)
