"""The properties that Graph v1.0 knows, returns by default, or stores outside the directory.

Names from the CSDL of microsoftgraph/msgraph-metadata, clean_v10_metadata, commit f54f11b6 (2026-08-20);
`extensionAttributes` and `createdDateTime` of devices are documented but not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

_USERS = """
    accountEnabled ageGroup assignedLicenses assignedPlans authorizationInfo businessPhones city
    companyName consentProvidedForMinor country createdDateTime creationType
    customSecurityAttributes department displayName employeeHireDate employeeId
    employeeLeaveDateTime employeeOrgData employeeType externalUserState
    externalUserStateChangeDateTime faxNumber givenName identities identityParentId imAddresses
    isManagementRestricted isResourceAccount jobTitle lastPasswordChangeDateTime
    legalAgeGroupClassification licenseAssignmentStates mail mailNickname mobilePhone officeLocation
    onPremisesDistinguishedName onPremisesDomainName onPremisesExtensionAttributes
    onPremisesImmutableId onPremisesLastSyncDateTime onPremisesProvisioningErrors
    onPremisesSamAccountName onPremisesSecurityIdentifier onPremisesSyncEnabled
    onPremisesUserPrincipalName otherMails passwordPolicies passwordProfile postalCode
    preferredDataLocation preferredLanguage provisionedPlans proxyAddresses securityIdentifier
    serviceProvisioningErrors showInAddressList signInSessionsValidFromDateTime state streetAddress
    surname usageLocation userPrincipalName userType
"""
_USERS_DEFAULT = """
    businessPhones displayName givenName jobTitle mail mobilePhone officeLocation preferredLanguage
    surname userPrincipalName
"""
_USERS_OUTSIDE = """
    signInActivity mailboxSettings deviceEnrollmentLimit print aboutMe birthday hireDate interests
    mySite pastProjects preferredName responsibilities schools skills
"""
_USERS_LISTS = """
    assignedLicenses assignedPlans businessPhones identities imAddresses licenseAssignmentStates
    onPremisesProvisioningErrors otherMails provisionedPlans proxyAddresses
    serviceProvisioningErrors
"""
_DEVICES = """
    accountEnabled alternativeSecurityIds approximateLastSignInDateTime complianceExpirationDateTime
    deviceCategory deviceId deviceMetadata deviceOwnership deviceVersion displayName
    enrollmentProfileName enrollmentType isCompliant isManaged isManagementRestricted isRooted
    managementType manufacturer mdmAppId model onPremisesLastSyncDateTime
    onPremisesSecurityIdentifier onPremisesSyncEnabled operatingSystem operatingSystemVersion
    physicalIds profileType registrationDateTime systemLabels trustType
"""
_DEVICES_LISTS = """
    alternativeSecurityIds physicalIds systemLabels
"""
_GROUPS = """
    assignedLabels assignedLicenses classification createdDateTime description displayName
    expirationDateTime groupTypes hasMembersWithLicenseErrors infoCatalogs isAssignableToRole
    isManagementRestricted licenseProcessingState mail mailEnabled mailNickname membershipRule
    membershipRuleProcessingState onPremisesDomainName onPremisesExtensionAttributes
    onPremisesLastSyncDateTime onPremisesNetBiosName onPremisesProvisioningErrors
    onPremisesSamAccountName onPremisesSecurityIdentifier onPremisesSyncEnabled organizationId
    preferredDataLocation preferredLanguage proxyAddresses renewedDateTime resourceBehaviorOptions
    resourceProvisioningOptions securityEnabled securityIdentifier serviceProvisioningErrors theme
    uniqueName visibility
"""
_GROUPS_DEFAULT = """
    classification createdDateTime description displayName expirationDateTime groupTypes
    isAssignableToRole mail mailEnabled mailNickname membershipRule membershipRuleProcessingState
    onPremisesLastSyncDateTime onPremisesProvisioningErrors onPremisesSamAccountName
    onPremisesSecurityIdentifier onPremisesSyncEnabled preferredDataLocation preferredLanguage
    proxyAddresses renewedDateTime securityEnabled securityIdentifier theme visibility
    resourceBehaviorOptions resourceProvisioningOptions onPremisesDomainName onPremisesNetBiosName
"""
_GROUPS_OUTSIDE = """
    accessType allowExternalSenders autoSubscribeNewMembers hideFromAddressLists
    hideFromOutlookClients welcomeMessageEnabled isFavorite isSubscribedByMail
    unseenConversationsCount unseenCount unseenMessagesCount isArchived
"""
_GROUPS_LISTS = """
    assignedLabels assignedLicenses groupTypes infoCatalogs onPremisesProvisioningErrors
    proxyAddresses resourceBehaviorOptions resourceProvisioningOptions serviceProvisioningErrors
"""


@dataclass(frozen=True, slots=True)
class Sort:
    """The property names of one kind of object."""

    type_name: str
    known: frozenset[str]
    default: tuple[str, ...]
    outside: frozenset[str]
    lists: frozenset[str]


def _sort(type_name: str, known: str, default: str, outside: str, lists: str) -> Sort:
    everything = frozenset(known.split()) | {"id", "deletedDateTime"}
    return Sort(type_name, everything, ("id", *default.split()), frozenset(outside.split()), frozenset(lists.split()))


_DYNAMIC = " createdDateTime extensionAttributes"
SORTS = {
    "users": _sort("user", _USERS, _USERS_DEFAULT, _USERS_OUTSIDE, _USERS_LISTS),
    "devices": _sort("device", _DEVICES + _DYNAMIC, _DEVICES + _DYNAMIC, "", _DEVICES_LISTS),
    "groups": _sort("group", _GROUPS, _GROUPS_DEFAULT, _GROUPS_OUTSIDE, _GROUPS_LISTS),
}
_SERVICE_PRINCIPALS = "accountEnabled appDisplayName appId displayName servicePrincipalType"
_CONTACTS = "companyName department displayName givenName jobTitle mail surname"
# The further kinds exist only as members and owners of groups.
ALL_SORTS = SORTS | {
    "servicePrincipals": _sort("servicePrincipal", _SERVICE_PRINCIPALS, _SERVICE_PRINCIPALS, "", ""),
    "contacts": _sort("orgContact", _CONTACTS, _CONTACTS, "", ""),
}
ODATA_TYPE = {kind: f"#microsoft.graph.{sort.type_name}" for kind, sort in ALL_SORTS.items()}
