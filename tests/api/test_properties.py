"""What Microsoft Graph v1.0 knows of a device, user or group: each property can be asked for, or says why not."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_named_type

from schema.attribute import attributes
from schema.fields import NOUNS
from schema.search.table import find
from sync.inventory.kind import KINDS
from tests.api.lists import SCHEMA
from tests.unit.inventory.test_kind import declared

NOUN_OF = {"device": "AzureAdDevice", "user": "User", "group": "Group"}
# Named otherwise: `externalId`, and a removed object is no longer listed (`changes` tells of it).
OURS = {"id", "deletedDateTime"}
# Graph tells them of one object at a time only, or not without a permission that is not asked for.
ALONE = set(
    """aboutMe birthday hireDate interests mySite pastProjects preferredName responsibilities schools skills print
    mailboxSettings deviceEnrollmentLimit signInActivity customSecurityAttributes authorizationInfo passwordProfile
    employeeLeaveDateTime accessType allowExternalSenders autoSubscribeNewMembers hideFromAddressLists
    hideFromOutlookClients isArchived isFavorite isSubscribedByMail unseenConversationsCount unseenCount
    unseenMessagesCount hasMembersWithLicenseErrors""".split()
)
# Not asked for so far: licences, plans, provisioning errors, legal age, what few tenants fill. Only ever shorter.
UNREAD = set(
    """ageGroup consentProvidedForMinor legalAgeGroupClassification assignedLicenses assignedPlans provisionedPlans
    licenseAssignmentStates licenseProcessingState onPremisesProvisioningErrors serviceProvisioningErrors
    employeeHireDate employeeOrgData externalUserStateChangeDateTime identities identityParentId imAddresses
    isManagementRestricted isResourceAccount onPremisesExtensionAttributes passwordPolicies preferredDataLocation
    showInAddressList signInSessionsValidFromDateTime assignedLabels infoCatalogs organizationId uniqueName
    welcomeMessageEnabled""".split()
)
# Objects, which are filtered by their members or not at all.
UNFILTERED = {"alternativeSecurityIds", "extensionAttributes"}
PROPERTIES = [(kind.name, prop) for kind in KINDS for prop in sorted(declared(kind))]


@pytest.mark.parametrize(("kind", "prop"), PROPERTIES)
def test_property_can_be_selected_filtered_and_searched(kind: str, prop: str) -> None:
    """A field of its own says which property it is; `where`, `search` and the source's own name reach it."""
    noun = NOUNS[NOUN_OF[kind]]
    field = next((one for one in noun.fields.values() if one.column.info.get("graph") == prop), None)
    if field is None:
        assert prop in OURS | ALONE | UNREAD
        return
    type_: Any = SCHEMA.type_map[noun.name]
    assert f"Graph property: `{prop}`" in type_.fields[field.graphql_name].description
    if prop not in UNFILTERED:
        where: Any = SCHEMA.type_map[f"{noun.name}Where"]
        assert get_named_type(where.fields[field.graphql_name].type).fields
        assert attributes(noun.name)[prop.casefold()] is field
        assert find(noun, prop) is not None
        asked = f"@azuread.{'dev' if kind == 'device' else noun.prefix}.{prop}"
        assert find(NOUNS["Asset"] if kind == "device" else noun, asked) is not None


def test_extension_attributes_can_be_filtered_one_by_one() -> None:
    """Each of the fifteen is a condition, and a keyword by Graph's own name."""
    for number in range(1, 16):
        assert find(NOUNS["Asset"], f"@azuread.dev.extensionAttributes.extensionAttribute{number}") is not None
        where: Any = SCHEMA.type_map["AzureAdDeviceWhere"]
        assert f"extensionAttribute{number}" in where.fields


def test_exceptions_are_properties_that_are_really_missing() -> None:
    """An exception that has got its field, or that Graph does not know, leaves the list."""
    read = {field.column.info.get("graph") for name in NOUN_OF.values() for field in NOUNS[name].fields.values()}
    known = {prop for _, prop in PROPERTIES}
    assert known >= ALONE | UNREAD
    assert ALONE & read == set()
    # A property of several kinds may be read of one of them.
    assert UNREAD & read <= {"isManagementRestricted", "preferredDataLocation"}
