"""What Microsoft Graph v1.0 knows of a device, user or group: each property can be asked for, or says why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from graphql import get_named_type

from schema.field.attribute import attributes, folded, graph_name
from schema.field.registry import NOUNS
from schema.search.vocabulary.table import find
from sync.inventory.directory.kind import KINDS
from tests.api.lists import SCHEMA
from tests.sync.inventory.test_kind import declared

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
# Not asked for, as docs/sync.md says: nothing is there to be read, or Microsoft's reference does not know it.
UNREAD = set("identityParentId infoCatalogs organizationId showInAddressList welcomeMessageEnabled".split())
# Declared for groups too, but documented for users alone.
UNREAD_OF = {("group", "onPremisesExtensionAttributes")}
# Where the members are what is filtered by.
MEMBERS = {
    "employeeOrgData": ("costCenter", "division"),
    "licenseProcessingState": ("state",),
    "onPremisesExtensionAttributes": tuple(f"extensionAttribute{number}" for number in range(1, 16)),
}
# Objects, which are filtered by their members or not at all.
UNFILTERED = {"alternativeSecurityIds", "extensionAttributes"}
RAW_ONLY = {kind.name: set(kind.raw_only) for kind in KINDS}
PROPERTIES = [(kind.name, prop) for kind in KINDS for prop in sorted(declared(kind))]


@pytest.mark.parametrize(("kind", "prop"), PROPERTIES)
def test_property_can_be_selected_filtered_and_searched(kind: str, prop: str) -> None:
    """A field of its own says which property it is; `where`, `search` and the source's own name reach it."""
    noun = NOUNS[NOUN_OF[kind]]
    field = next((one for one in noun.fields.values() if graph_name(one) == prop), None)
    asked = f"@azuread.{'dev' if kind == 'device' else noun.prefix}.{prop}"
    if field is None:
        if prop in RAW_ONLY[kind]:
            for path in (f"{prop}.{member}" for member in MEMBERS[prop]) if prop in MEMBERS else (prop,):
                assert f"Graph property: `{path}`" in attributes(noun.name)[folded(path)].description
                assert find(noun, f"@azuread.{noun.prefix}.{path}") is not None
        else:
            assert prop in OURS | ALONE | UNREAD or (kind, prop) in UNREAD_OF
        return
    type_: Any = SCHEMA.type_map[noun.name]
    assert f"Graph property: `{prop}`" in type_.fields[field.graphql_name].description
    if prop not in UNFILTERED:
        where: Any = SCHEMA.type_map[f"{noun.name}Where"]
        assert get_named_type(where.fields[field.graphql_name].type).fields
        assert attributes(noun.name)[prop.casefold()] is field
        assert find(noun, prop) is not None
        assert find(NOUNS["Asset"] if kind == "device" else noun, asked) is not None


def test_document_says_why_a_property_is_not_read() -> None:
    """The table in docs/sync.md has a row for each exception, and no other property."""
    table = (Path(__file__).parents[2] / "docs" / "sync.md").read_text().split("What is left out, and why:")[1]
    rows = [row.split("|")[1:3] for row in table.split("## ")[0].splitlines() if row.startswith("| `")]
    told = {(kind.strip(), prop) for props, kind in rows for prop in re.findall(r"`(\w+)`", props)}
    missing = {(kind, prop) for kind, prop in PROPERTIES if prop in ALONE | UNREAD} | UNREAD_OF
    assert told == missing


def test_extension_attributes_can_be_filtered_one_by_one() -> None:
    """Each of the fifteen is a condition, and a keyword by Graph's own name."""
    for number in range(1, 16):
        assert find(NOUNS["Asset"], f"@azuread.dev.extensionAttributes.extensionAttribute{number}") is not None
        where: Any = SCHEMA.type_map["AzureAdDeviceWhere"]
        assert f"extensionAttribute{number}" in where.fields


def test_exceptions_are_properties_that_are_really_missing() -> None:
    """An exception that has got its field, or that Graph does not know, leaves the list."""
    read = {graph_name(field) for name in NOUN_OF.values() for field in NOUNS[name].fields.values()}
    known = {prop for _, prop in PROPERTIES}
    assert known >= ALONE | UNREAD
    assert ALONE & read == set()
    assert UNREAD & (read | set().union(*RAW_ONLY.values())) == set()
