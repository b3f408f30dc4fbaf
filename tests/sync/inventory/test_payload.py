"""Objects in the shapes that Microsoft's documentation shows are kept exactly: what has a column, and what has none.

Sources: learn.microsoft.com/graph/api/resources/device, /user, /group; /graph/extensibility-overview;
/graph/delta-query-groups; /entra/external-id/user-properties; /entra/identity/devices/concept-hybrid-join.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sqlalchemy import select

from sync.inventory.directory.item import attributes
from sync.inventory.directory.kind import DEVICE, GROUP, USER, Kind
from sync.store.tables import objects, raw
from tests.sync.inventory.inventory import Inventory, Item, ends, gone

SID = "S-1-5-21-1720854382-3811451121-1029387710-1109"
HYBRID_DEVICE: Item = {
    "@odata.type": "#microsoft.graph.device",
    "id": "6a59ea83-02bd-468f-a40b-f2c3d1821983",
    "deletedDateTime": None,
    "accountEnabled": True,
    "alternativeSecurityIds": [
        {"type": 2, "identityProvider": None, "key": "WAA1ADAAOQA6ADwAUwBIAEEAMQAtAFQAUAAtAFAAVQBCAEsARQBZAD4A"}
    ],
    "approximateLastSignInDateTime": "2026-03-04T05:06:07Z",
    "deviceId": "eab73519-780d-4d43-be6d-a4a89af2a348",
    "deviceVersion": 2,
    "displayName": "CONTOSO-FIN-07",
    "extensionAttributes": {f"extensionAttribute{n}": "VIP" if n == 1 else None for n in range(1, 16)},
    "extension_ab603c56068041afb2f6832e2a17e237_costCentre": "4711",
    "isCompliant": None,
    "managementType": "MDM",
    "onPremisesLastSyncDateTime": "2026-03-04T05:06:07.1234567Z",
    "onPremisesSecurityIdentifier": SID,
    "onPremisesSyncEnabled": True,
    "operatingSystem": "Windows",
    "operatingSystemVersion": "10.0.22631.3155",
    "physicalIds": [
        "[USER-GID]:f2a0cc4b-bbc9-4a93-a0f6-6b3d9d4f1b1d:6825777218165248",
        "[GID]:g:6825777218165248",
        "[USER-HWID]:f2a0cc4b-bbc9-4a93-a0f6-6b3d9d4f1b1d:6755463850307617",
        "[HWID]:h:6755463850307617",
        "[ZTDID]:2ad4a8b8-0e3b-4d6b-8c7f-2d3c5b9f5c11",
    ],
    "profileType": "RegisteredDevice",
    "registrationDateTime": "2025-11-12T13:14:15Z",
    "systemLabels": ["M365Managed"],
    "trustType": "ServerAd",
}
GUEST: Item = {
    "id": "5ba7d2f0-1d4d-4b5b-8a6c-2f1e0d9c8b7a",
    "accountEnabled": True,
    "businessPhones": [],
    "creationType": "Invitation",
    "displayName": "Adele Vance",
    "externalUserState": "PendingAcceptance",
    "externalUserStateChangeDateTime": "2026-01-02T03:04:05Z",
    "extension_ab603c56068041afb2f6832e2a17e237_skypeId": "adele.vance",
    "identities": [
        {"signInType": "federated", "issuer": "ExternalAzureAD", "issuerAssignedId": None},
        {"signInType": "userPrincipalName", "issuer": "contoso.com", "issuerAssignedId": "adele#EXT#@contoso.com"},
    ],
    "mail": "AdeleV@adatum.com",
    "onPremisesExtensionAttributes": {f"extensionAttribute{n}": None for n in range(1, 16)},
    "otherMails": ["AdeleV@adatum.com"],
    "proxyAddresses": ["SMTP:AdeleV@adatum.com", "smtp:adele@adatum.com"],
    "userPrincipalName": "AdeleV_adatum.com#EXT#@contoso.com",
    "userType": "Guest",
}
SYNCED_USER: Item = {
    "id": "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
    "displayName": "Ålesund Łukasz 李 🧑‍💻",
    "onPremisesDistinguishedName": "CN=Lukasz\\, A.,OU=Users,DC=contoso,DC=com",
    "onPremisesImmutableId": "u7bKkMpQ0kqj9C2hGQ==",
    "onPremisesSecurityIdentifier": SID,
    "onPremisesSyncEnabled": True,
    "lastPasswordChangeDateTime": "2026-02-01T00:00:00Z",
    "userType": None,
}
MAIL_ENABLED: Item = {
    "id": "45b7d2e7-b882-4a80-ba97-10b7a63b8fa4",
    "description": None,
    "displayName": "Golf Assist",
    "groupTypes": [],
    "mail": "golfassist@contoso.com",
    "mailEnabled": True,
    "mailNickname": "golfassist",
    "onPremisesProvisioningErrors": [],
    "proxyAddresses": ["X500:/o=ExchangeLabs/ou=EAG/cn=Recipients/cn=golf", "SMTP:golfassist@contoso.com"],
    "securityEnabled": True,
}
DYNAMIC: Item = {
    "id": "d7797254-3084-44d0-99c9-a3b5ab149538",
    "displayName": "All guests",
    "groupTypes": ["DynamicMembership", "Unified"],
    "assignedLicenses": [{"disabledPlans": [], "skuId": "c7df2760-2c81-4ef7-b578-5b5392b571df"}],
    "mailEnabled": True,
    "membershipRule": '(user.userType -eq "Guest") -and (user.mail -match ".*@adatum\\.com")',
    "membershipRuleProcessingState": "On",
    "resourceBehaviorOptions": ["WelcomeEmailDisabled"],
    "securityEnabled": False,
    "theme": None,
    "visibility": "HiddenMembership",
}
PAYLOADS: list[tuple[str, Kind, Item, dict[str, Any]]] = [
    (
        "hybrid joined device",
        DEVICE,
        HYBRID_DEVICE,
        {
            "alternative_security_ids": HYBRID_DEVICE["alternativeSecurityIds"],
            "extension_attributes": HYBRID_DEVICE["extensionAttributes"],
            "physical_ids": HYBRID_DEVICE["physicalIds"],
            "system_labels": ["M365Managed"],
            "trust_type": "ServerAd",
            "on_premises_security_identifier": SID,
            "on_premises_last_sync_date_time": "2026-03-04T05:06:07.123Z",
            "device_version": 2,
            "is_compliant": None,
        },
    ),
    (
        "B2B guest",
        USER,
        GUEST,
        {
            "user_type": "Guest",
            "external_user_state": "PendingAcceptance",
            "user_principal_name": "AdeleV_adatum.com#EXT#@contoso.com",
            "business_phones": [],
            "proxy_addresses": GUEST["proxyAddresses"],
        },
    ),
    (
        "user from on premises",
        USER,
        SYNCED_USER,
        {
            "display_name": "Ålesund Łukasz 李 🧑‍💻",
            "on_premises_distinguished_name": "CN=Lukasz\\, A.,OU=Users,DC=contoso,DC=com",
            "last_password_change_date_time": "2026-02-01T00:00:00.000Z",
            "user_type": None,
        },
    ),
    (
        "mail-enabled security group",
        GROUP,
        MAIL_ENABLED,
        {"kind": "MAIL_ENABLED_SECURITY", "is_dynamic": False, "membership_known": True, "group_types": []},
    ),
    (
        "dynamic Microsoft 365 group",
        GROUP,
        DYNAMIC,
        {
            "kind": "MICROSOFT_365",
            "is_dynamic": True,
            "membership_known": False,
            "membership_rule": DYNAMIC["membershipRule"],
            "resource_behavior_options": ["WelcomeEmailDisabled"],
        },
    ),
]


async def kept(inventory: Inventory, external_id: str) -> Any:
    """Return what is stored of an object as it was received."""
    mine = select(raw.c.item).join_from(raw, objects, objects.c.id == raw.c.object_id)
    async with inventory.store.read() as tx:
        return await tx.scalar(mine.where(objects.c.external_id == external_id))


@pytest.mark.parametrize("minimal", [False, True], ids=["default", "minimal"])
@pytest.mark.parametrize(("kind", "item", "columns"), [row[1:] for row in PAYLOADS], ids=[row[0] for row in PAYLOADS])
async def test_object_of_the_documentation_is_kept_exactly(
    inventory: Inventory, kind: Kind, item: Item, columns: dict[str, Any], minimal: bool
) -> None:
    """Columns say what the properties say; everything, properties without a column too, is kept as it came."""
    await inventory.page(kind, orjson.loads(orjson.dumps(item)), minimal=minimal)
    assert {name: await inventory.field(kind, item["id"], name) for name in columns} == columns
    assert await kept(inventory, item["id"]) == attributes(item)
    assert (await inventory.page(kind, item, minimal=minimal)).counts == {"unchanged": 1}


@pytest.mark.parametrize(
    ("minimal", "left"),
    [(False, {}), (True, {"extension_ab603c56068041afb2f6832e2a17e237_skypeId": "adele.vance"})],
    ids=["default", "minimal"],
)
async def test_unknown_property_goes_or_stays_like_one_that_is_known(
    inventory: Inventory, minimal: bool, left: dict[str, str]
) -> None:
    """One that the next item leaves out is gone on a default round and unchanged on a minimal one; null clears it."""
    await inventory.page(USER, GUEST)
    await inventory.page(USER, {"id": GUEST["id"], "identities": None}, full=False, minimal=minimal)
    after = await kept(inventory, GUEST["id"])
    assert after["identities"] is None
    assert {name: value for name, value in after.items() if name.startswith("extension_")} == left


async def test_delta_of_a_group_in_the_shape_of_the_documentation_changes_only_its_members(
    inventory: Inventory,
) -> None:
    """A member that comes, a member that goes, a contact and an object that the app may not read."""
    await inventory.page(USER, *({"id": name} for name in ("a", "b", "c")))
    await inventory.page(GROUP, MAIL_ENABLED | {"members@delta": ends("a", "b")})
    limited: Item = {"@odata.type": "#microsoft.graph.user", "id": "c", "displayName": None, "mail": None}
    contact = ends("x", kind="orgContact")
    changed = [*ends("b"), *gone("a"), limited, *contact, {"id": "nameless"}]
    before = await kept(inventory, "c")
    applied = await inventory.page(GROUP, MAIL_ENABLED | {"members@delta": changed}, full=False)
    assert applied.counts == {"unchanged": 1}
    assert {target for _, _, target in await inventory.edges()} == {"b", "c", "x", "nameless"}
    assert await kept(inventory, "c") == before
