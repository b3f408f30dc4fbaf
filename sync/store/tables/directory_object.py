"""Users, groups and devices: one column for each Microsoft Graph property that has its own field."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Text

from sync.store.statement.function import sort_key, version_key
from sync.store.tables.column import HOLDS, KEYED, LOWER, OBJECT, OBJECTS, Json, Time, graph, refers
from sync.store.tables.declare import live_index, synced

devices = synced(
    "devices",
    refers("asset_id", "assets", nullable=True),
    Column("skipped", Text),  # why the device has no asset: INACTIVE, UNKNOWN
    graph("accountEnabled", Boolean()),
    graph("alternativeSecurityIds", Json, info={HOLDS: OBJECTS}),
    graph("approximateLastSignInDateTime", Time),
    graph("complianceExpirationDateTime", Time),
    graph("createdDateTime", Time),
    graph("deviceCategory"),
    graph("deviceId", info={LOWER: True}),
    graph("deviceMetadata"),
    graph("deviceOwnership"),
    graph("deviceVersion", Integer()),
    graph("displayName"),
    graph("enrollmentProfileName"),
    graph("enrollmentType"),
    graph("extensionAttributes", Json, info={HOLDS: OBJECT}),
    graph("isCompliant", Boolean()),
    graph("isManaged", Boolean()),
    graph("isManagementRestricted", Boolean()),
    graph("isRooted", Boolean()),
    graph("managementType"),
    graph("manufacturer"),
    graph("mdmAppId"),
    graph("model"),
    graph("onPremisesLastSyncDateTime", Time),
    graph("onPremisesSecurityIdentifier"),
    graph("onPremisesSyncEnabled", Boolean()),
    graph("operatingSystem"),
    graph("operatingSystemVersion", info={KEYED: version_key}),
    graph("physicalIds", Json),
    graph("profileType"),
    graph("registrationDateTime", Time),
    graph("systemLabels", Json),
    graph("trustType"),
)
Index("ix_devices_asset_id", devices.c.asset_id)
Index("ix_devices_site_id_device_id", devices.c.site_id, devices.c.device_id)

users = synced(
    "users",
    graph("accountEnabled", Boolean()),
    graph("ageGroup"),
    graph("businessPhones", Json),
    graph("city"),
    graph("companyName"),
    graph("consentProvidedForMinor"),
    graph("country"),
    graph("createdDateTime", Time),
    graph("creationType"),
    graph("department"),
    graph("displayName", info={KEYED: sort_key}),
    graph("employeeHireDate", Time),
    graph("employeeId"),
    graph("employeeType"),
    graph("externalUserState"),
    graph("externalUserStateChangeDateTime", Time),
    graph("faxNumber"),
    graph("givenName"),
    graph("imAddresses", Json),
    graph("isManagementRestricted", Boolean()),
    graph("isResourceAccount", Boolean()),
    graph("jobTitle"),
    graph("lastPasswordChangeDateTime", Time),
    graph("legalAgeGroupClassification"),
    graph("mail"),
    graph("mailNickname"),
    graph("mobilePhone"),
    graph("officeLocation"),
    graph("onPremisesDistinguishedName"),
    graph("onPremisesDomainName"),
    graph("onPremisesImmutableId"),
    graph("onPremisesLastSyncDateTime", Time),
    graph("onPremisesSamAccountName"),
    graph("onPremisesSecurityIdentifier"),
    graph("onPremisesSyncEnabled", Boolean()),
    graph("onPremisesUserPrincipalName"),
    graph("otherMails", Json),
    graph("passwordPolicies"),
    graph("postalCode"),
    graph("preferredDataLocation"),
    graph("preferredLanguage"),
    graph("proxyAddresses", Json),
    graph("securityIdentifier"),
    graph("signInSessionsValidFromDateTime", Time),
    graph("state"),
    graph("streetAddress"),
    graph("surname"),
    graph("usageLocation"),
    graph("userPrincipalName", info={KEYED: sort_key}),
    graph("userType"),
)

groups = synced(
    "groups",
    Column("kind", Text, nullable=False),
    Column("is_dynamic", Boolean, nullable=False),
    # False if the membership is hidden from the app: an empty list of members then means unknown.
    Column("membership_known", Boolean, nullable=False),
    graph("classification"),
    graph("createdDateTime", Time),
    graph("description"),
    graph("displayName", info={KEYED: sort_key}),
    graph("expirationDateTime", Time),
    graph("groupTypes", Json),
    graph("isAssignableToRole", Boolean()),
    graph("isManagementRestricted", Boolean()),
    graph("mail"),
    graph("mailEnabled", Boolean()),
    graph("mailNickname"),
    graph("membershipRule"),
    graph("membershipRuleProcessingState"),
    graph("onPremisesDomainName"),
    graph("onPremisesLastSyncDateTime", Time),
    graph("onPremisesNetBiosName"),
    graph("onPremisesSamAccountName"),
    graph("onPremisesSecurityIdentifier"),
    graph("onPremisesSyncEnabled", Boolean()),
    graph("preferredDataLocation"),
    graph("preferredLanguage"),
    graph("proxyAddresses", Json),
    graph("renewedDateTime", Time),
    graph("resourceBehaviorOptions", Json),
    graph("resourceProvisioningOptions", Json),
    graph("securityEnabled", Boolean()),
    graph("securityIdentifier"),
    graph("theme"),
    graph("uniqueName"),
    graph("visibility"),
)

for _table in (users, groups):
    for _name in ("id", "display_name", "external_id"):
        live_index(_table, _name)
live_index(users, "user_principal_name")
live_index(users, "account_enabled")
live_index(devices, "id")
