"""One generated user: names of many scripts, guests, disabled, synchronised from on-premises; never a real person."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from server.simulator.tenant.draw import Draw
from server.simulator.tenant.extension import build_extensions
from server.simulator.tenant.names import CITY, DEPARTMENT, GIVEN, JOB, SUFFIX, SURNAME
from server.simulator.tenant.origin import Origin

GUEST_PERCENT = 6
DISABLED_PERCENT = 5
SYNCED_PERCENT = 40
LATIN_GIVEN, LATIN_SURNAME = 34, 31  # most names are Latin, as in most tenants; the rest are for parsers
SKUS = ("05e9a617-0261-4cee-bb44-138d3ef5d965", "6fd2c87f-b296-42f0-b197-1e91e994b900")  # E3 of M365 and Office

PLANS = (("exchange", "efb87545-963c-4e0d-99df-69c6916d9eb0"), ("SharePoint", "5dbe027f-2339-4123-9542-606e4d348a72"))
DIVISIONS = ("Products", "Services", "Corporate")


def build_user(origin: Origin, number: int) -> dict[str, Any]:
    """Return user `number` without its id; properties that were never set are absent."""
    draw = origin.draw("user", number)
    given, given_latin = draw.pick(GIVEN if draw.percent(25) else GIVEN[:LATIN_GIVEN])
    surname, surname_latin = draw.pick(SURNAME if draw.percent(25) else SURNAME[:LATIN_SURNAME])
    nickname = f"{given_latin}.{surname_latin}{number}"
    created = 30 + draw.below(3_500)
    display = f"{given} {surname}{draw.pick(SUFFIX) if draw.percent(2) else ''}"
    values: dict[str, Any] = {
        "accountEnabled": not draw.percent(DISABLED_PERCENT),
        "businessPhones": [],
        "createdDateTime": origin.moment(draw, created),
        "displayName": display,
        "givenName": given,
        "mailNickname": nickname,
        "otherMails": [],
        "securityIdentifier": _security_identifier(origin.draw("security identifier", number)),
        "surname": surname,
    }
    # The first users are the top of the manager tree: always members.
    if number >= 10 and draw.percent(GUEST_PERCENT):
        values |= _guest(origin, draw, nickname, created)
    else:
        values |= _member(origin, draw, nickname, number)
        if draw.percent(SYNCED_PERCENT):
            values |= _synced(origin, draw, display, number)
        values |= _rare(origin, number, values)
    return values


def _guest(origin: Origin, draw: Draw, nickname: str, created: int) -> dict[str, Any]:
    mail = f"{nickname}@partner{draw.below(9)}.example"
    return {
        "creationType": "Invitation",
        "externalUserState": draw.pick(("Accepted", "Accepted", "PendingAcceptance")),
        "externalUserStateChangeDateTime": origin.moment(draw, draw.below(created)),
        "identities": [
            {"signInType": "federated", "issuer": "ExternalAzureAD", "issuerAssignedId": None},
        ],
        "mail": mail,
        "otherMails": [mail],
        "proxyAddresses": [f"SMTP:{mail}"],
        "userPrincipalName": f"{mail.replace('@', '_')}#EXT#@{origin.domain}",
        "userType": "Guest",
    }


def _member(origin: Origin, draw: Draw, nickname: str, number: int) -> dict[str, Any]:
    city, country, usage, language = draw.pick(CITY)
    principal_name = f"{nickname}@{origin.domain}"
    values: dict[str, Any] = {
        "city": city,
        "companyName": "Contoso",
        "country": country,
        "department": draw.pick(DEPARTMENT),
        "employeeId": f"E{100_000 + number}",
        "employeeType": draw.pick(("Employee", "Employee", "Employee", "Contractor")),
        "identities": [
            {
                "signInType": "userPrincipalName",
                "issuer": origin.domain,
                "issuerAssignedId": principal_name,
            },
        ],
        "jobTitle": draw.pick(JOB),
        "lastPasswordChangeDateTime": origin.moment(draw, draw.below(400)),
        "mail": principal_name,
        "officeLocation": f"{draw.below(90) + 10}/{draw.below(3000)}",
        "preferredLanguage": language,
        "proxyAddresses": [f"SMTP:{principal_name}", f"smtp:e{number}@{origin.domain}"],
        "usageLocation": usage,
        "userPrincipalName": principal_name,
        "userType": "Member",
    }
    if draw.percent(60):
        values["businessPhones"] = [f"+1 206 555 {draw.below(10_000):04d}"]
    if draw.percent(30):
        values["mobilePhone"] = f"+1 425 555 {draw.below(10_000):04d}"
    elif draw.percent(10):
        values["mobilePhone"] = None  # set once, cleared later: null, not absent
    values["assignedLicenses"] = [{"disabledPlans": [], "skuId": draw.pick(SKUS)}] if draw.percent(80) else []
    return values


def _rare(origin: Origin, number: int, values: dict[str, Any]) -> dict[str, Any]:
    """Return rare properties of a member; they are drawn separately, so that they do not change the other values."""
    draw = origin.draw("rare user", number)
    hired = origin.moment(draw, draw.below(3_500))
    licensed = values["assignedLicenses"]
    is_failing = bool(licensed) and draw.percent(2)
    plans = PLANS if licensed else ()
    rare: dict[str, Any] = {
        "assignedPlans": [
            {"assignedDateTime": hired, "capabilityStatus": "Enabled", "service": service, "servicePlanId": plan}
            for service, plan in plans
        ],
        "employeeHireDate": hired,
        "employeeOrgData": {"costCenter": f"{4_000 + draw.below(40)}", "division": draw.pick(DIVISIONS)},
        "imAddresses": [f"sip:{values['userPrincipalName']}"] if licensed else [],
        "isResourceAccount": False if draw.percent(10) else None,
        "licenseAssignmentStates": [_license_state(one["skuId"], hired, is_failing) for one in licensed],
        "passwordPolicies": "DisablePasswordExpiration" if draw.percent(8) else "None",
        "provisionedPlans": [
            {"capabilityStatus": "Enabled", "provisioningStatus": "Success", "service": service} for service, _ in plans
        ],
        "signInSessionsValidFromDateTime": origin.moment(draw, draw.below(400)),
    }
    if draw.percent(3):
        rare |= {"ageGroup": "Minor", "consentProvidedForMinor": "Granted"}
        rare["legalAgeGroupClassification"] = "MinorWithParentalConsent"
    if draw.percent(2):
        rare["isManagementRestricted"] = True
    if draw.percent(5):
        rare["preferredDataLocation"] = draw.pick(("EUR", "NAM", "APC"))
    if draw.percent(40):
        rare |= {"postalCode": f"{10_000 + draw.below(80_000)}", "streetAddress": f"{1 + draw.below(200)} Main Street"}
    if values["usageLocation"] == "US":
        rare["state"] = "WA" if values["city"] == "Seattle" else "TX"
    if draw.percent(4):
        rare["faxNumber"] = f"+1 206 555 {draw.below(10_000):04d}"
    return rare | _errors(values["mail"], hired, draw.percent(2), is_failing)


def _security_identifier(draw: Draw) -> str:
    """Return a SID as Entra ID makes it of the object's id: four numbers of 32 bits."""
    return "-".join(["S-1-12-1", *(str(draw.below(2**32)) for _ in range(4))])


def _license_state(sku: str, since: str, is_failing: bool) -> dict[str, Any]:
    error, state = ("CountViolation", "Error") if is_failing else ("None", "Active")
    about: dict[str, Any] = {"assignedByGroup": None, "disabledPlans": [], "lastUpdatedDateTime": since, "skuId": sku}
    return about | {"error": error, "state": state}


def _errors(mail: str, since: str, is_conflicting: bool, is_failing: bool) -> dict[str, Any]:
    conflict = {
        "category": "PropertyConflict",
        "occurredDateTime": since,
        "propertyCausingError": "ProxyAddresses",
        "value": f"SMTP:{mail}",
    }
    failure = {"createdDateTime": since, "isResolved": False, "serviceInstance": "exchange/namprd04"}
    return {
        "onPremisesProvisioningErrors": [conflict] if is_conflicting else [],
        "serviceProvisioningErrors": [failure] if is_failing else [],
    }


def _synced(origin: Origin, draw: Draw, display: str, number: int) -> dict[str, Any]:
    anchor = b64encode(draw.below(2**128).to_bytes(16, "big")).decode()
    stem = display.replace(",", "\\,")
    return {
        "onPremisesDistinguishedName": f"CN={stem},OU=Staff,DC=corp,DC={origin.domain.partition('.')[0]},DC=example",
        "onPremisesDomainName": f"corp.{origin.domain}",
        "onPremisesExtensionAttributes": build_extensions(draw),
        "onPremisesImmutableId": anchor,
        "onPremisesLastSyncDateTime": origin.moment(draw, draw.below(3)),
        "onPremisesSamAccountName": f"u{number:06d}",
        "onPremisesSecurityIdentifier": f"S-1-5-21-3623811015-3361044348-30300820-{1_000 + number}",
        "onPremisesSyncEnabled": True,
        "onPremisesUserPrincipalName": f"u{number:06d}@corp.{origin.domain}",
    }
