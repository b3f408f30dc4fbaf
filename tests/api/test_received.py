"""What few tenants fill lies in the received JSON alone: `where`, `search` and `attributes` find it all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.world import World

Holds = Callable[[dict[str, Any]], bool]
SKU = "05e9a617-0261-4cee-bb44-138d3ef5d965"


def _some(prop: str, member: str, value: str) -> Holds:
    return lambda item: any(value.casefold() in one[member].casefold() for one in item.get(prop) or ())


# List → search text, the same as a `where`, and what it means of the object that Graph sent.
ASKED: list[tuple[str, str, str, Holds]] = [
    ("users", f"license:={SKU}", f'{{assignedLicenses: {{has: "{SKU}"}}}}', _some("assignedLicenses", "skuId", SKU)),
    (
        "users",
        "license:=SPE_E3",
        '{assignedLicenses: {has: "Microsoft 365 E3"}}',
        _some("assignedLicenses", "skuId", SKU),
    ),
    (
        "users",
        "identity:=userPrincipalName",
        '{identities: {hasAny: ["userPrincipalName"]}}',
        _some("identities", "signInType", "userPrincipalName"),
    ),
    ("users", "plan:exchange", '{assignedPlans: {has: "exchange"}}', _some("assignedPlans", "service", "exchange")),
    (
        "users",
        "@azuread.user.licenseAssignmentStates:=error",
        '{attributes: [{source: "azuread", name: "licenseAssignmentStates", eq: "Error"}]}',
        _some("licenseAssignmentStates", "state", "Error"),
    ),
    (
        "users",
        "has:onPremisesProvisioningErrors",
        "{onPremisesProvisioningErrors: {isEmpty: false}}",
        lambda item: bool(item.get("onPremisesProvisioningErrors")),
    ),
    (
        "users",
        "division:=services",
        '{attributes: [{source: "entra", name: "employeeOrgData.division", eq: "Services"}]}',
        lambda item: (item.get("employeeOrgData") or {}).get("division") == "Services",
    ),
    (
        "users",
        "@azuread.user.onPremisesExtensionAttributes.extensionAttribute1:=vip",
        '{extensionAttribute1: {eq: "VIP"}}',
        lambda item: (item.get("onPremisesExtensionAttributes") or {}).get("extensionAttribute1") == "VIP",
    ),
    (
        "users",
        "NOT has:costCenter",
        '{attributes: [{source: "azuread", name: "employeeOrgData.costCenter", exists: false}]}',
        lambda item: not item.get("employeeOrgData"),
    ),
    (
        "users",
        "passwordPolicies:=DisablePasswordExpiration",
        '{passwordPolicies: {contains: "Expiration"}}',
        lambda item: item.get("passwordPolicies") == "DisablePasswordExpiration",
    ),
    (
        "groups",
        "label:=confidential",
        '{assignedLabels: {has: "Confidential"}}',
        _some("assignedLabels", "displayName", "Confidential"),
    ),
    (
        "groups",
        "@azuread.group.licenseProcessingState.state:=processingcomplete",
        '{licenseProcessingState: {eq: "ProcessingComplete"}}',
        lambda item: "licenseProcessingState" in item,
    ),
]


@pytest.mark.parametrize(("place", "search", "where", "holds"), ASKED, ids=[search for _, search, _, _ in ASKED])
async def test_property_without_a_column_is_found_in_what_was_received(
    world: World, place: str, search: str, where: str, holds: Holds
) -> None:
    """Both forms of the filter give the rows whose received object says so; some do and some do not."""
    caller = world.caller()
    every = (await caller.data(f"{{ {place}(first: 1000) {{ nodes {{ id raw }} }} }}"))[place]["nodes"]
    wanted = {row["id"] for row in every if holds(row["raw"])}
    assert 0 < len(wanted) < len(every)
    for argument in (f'search: "{search}"', f"where: {where}"):
        answer = await caller.data(f"{{ {place}(first: 1000, {argument}) {{ nodes {{ id }} totalCount }} }}")
        assert {row["id"] for row in answer[place]["nodes"]} == wanted, argument
        assert answer[place]["totalCount"] == len(wanted)


async def test_property_without_a_column_is_compared_across_relations(world: World) -> None:
    """Groups with a member that has the licence are those that the members themselves tell."""
    nodes = "nodes { id users(first: 1000) { nodes { raw } } }"
    caller = world.caller()
    every = (await caller.data(f"{{ groups(first: 100) {{ {nodes} }} }}"))["groups"]["nodes"]
    holds = _some("assignedLicenses", "skuId", SKU)
    wanted = {row["id"] for row in every if any(holds(user["raw"]) for user in row["users"]["nodes"])}
    where = f'{{users: {{some: {{assignedLicenses: {{has: "{SKU}"}}}}}}}}'
    answer = await caller.data(f"{{ groups(first: 100, where: {where}) {{ nodes {{ id }} }} }}")
    assert 0 < len(wanted) < len(every)
    assert {row["id"] for row in answer["groups"]["nodes"]} == wanted


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("division", "employeeOrgData.division"),
        ("extensionAttribute1", "onPremisesExtensionAttributes.extensionAttribute1"),
    ],
)
async def test_users_are_counted_by_a_member_of_what_was_received(world: World, name: str, path: str) -> None:
    """Its own name and its whole path count the same users."""
    caller = world.caller()
    text = 'query($n: String!) { usersAggregate(groupBy: [{attribute: {source: "azuread", name: $n}}]) %s }'
    counted = [await caller.data(text % "{ groups { count keys { value } } }", n=one) for one in (name, path)]
    assert counted[0] == counted[1]
    assert len(counted[0]["usersAggregate"]["groups"]) > 1
