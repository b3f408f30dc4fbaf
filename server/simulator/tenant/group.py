"""One generated group, without its members; groups are of all kinds that Entra ID has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server.simulator.tenant.draw import Draw
from server.simulator.tenant.names import DEPARTMENT, TOPIC
from server.simulator.tenant.origin import Origin

if TYPE_CHECKING:
    from server.simulator.tenant.size import Size

# The first groups have fixed parts, so that tests and demos can find them.
EVERYONE, CYCLE, HIDDEN, DYNAMIC, DYNAMIC_DEVICES, EMPTY = 0, (1, 2, 3), 4, 5, 6, 7
SECURITY, UNIFIED, MAIL_SECURITY, DISTRIBUTION = "security", "m365", "mailSecurity", "distribution"
SORTS = (SECURITY,) * 50 + (UNIFIED,) * 30 + (MAIL_SECURITY,) * 8 + (DISTRIBUTION,) * 12
FIXED_SORT = {
    EVERYONE: SECURITY, 1: SECURITY, 2: SECURITY, 3: SECURITY, HIDDEN: UNIFIED, DYNAMIC: SECURITY,
    DYNAMIC_DEVICES: SECURITY, EMPTY: SECURITY, 8: MAIL_SECURITY, 9: DISTRIBUTION,
}  # fmt: skip
FIXED_NAME = {
    EVERYONE: "All Employees", 1: "Cycle A", 2: "Cycle B", 3: "Cycle C", HIDDEN: "Confidential Project",
    DYNAMIC: "Dynamic Finance", DYNAMIC_DEVICES: "Dynamic Windows Devices", EMPTY: "Nobody Yet",
}  # fmt: skip

LABELS, LABEL_ID = ("Public", "Confidential"), "c9bd1a5b-6f4a-4d0b-8a4e-4f0d6a7e9b3c"


def build_group(origin: Origin, number: int, size: Size) -> dict[str, Any]:
    """Return group `number` without its id; properties that were never set are absent."""
    draw = origin.draw("group", number)
    sort = draw.pick(SORTS)
    sort = FIXED_SORT.get(number, sort)
    created = 30 + draw.below(3_500)
    name = FIXED_NAME.get(number) or f"{draw.pick(TOPIC)} {draw.pick(DEPARTMENT)} {number}"
    values: dict[str, Any] = {
        "createdDateTime": origin.moment(draw, created),
        "displayName": name,
        "groupTypes": ["Unified"] if sort == UNIFIED else [],
        "mailEnabled": sort != SECURITY,
        "mailNickname": f"group{number}",
        "proxyAddresses": [],
        "renewedDateTime": origin.moment(draw, draw.below(created)),
        "securityEnabled": sort in (SECURITY, MAIL_SECURITY),
        "securityIdentifier": f"S-1-12-1-{draw.below(2**32)}-{draw.below(2**31)}-{draw.below(2**32)}-{number}",
    }
    if draw.percent(70):
        values["description"] = f"{name}: kept by {draw.pick(DEPARTMENT)}"
    elif draw.percent(20):
        values["description"] = None  # set once, cleared later: null, not absent
    if sort != SECURITY:
        values["mail"] = f"group{number}@{origin.domain}"
        values["proxyAddresses"] = [f"SMTP:group{number}@{origin.domain}"]
    if sort == UNIFIED:
        values |= _unified(draw, number)
    elif draw.percent(35) and number not in (DYNAMIC, DYNAMIC_DEVICES):
        values |= _synced(origin, draw, number)
    return values | _rule(draw, number, values["groupTypes"]) | _rare(origin, number, sort)


def _rare(origin: Origin, number: int, sort: str) -> dict[str, Any]:
    """Return rare properties; they are drawn separately, so that they do not change the rest of the tenant."""
    draw = origin.draw("rare group", number)
    values: dict[str, Any] = {}
    if sort == UNIFIED and draw.percent(40):
        values["assignedLabels"] = [{"displayName": draw.pick(LABELS), "labelId": LABEL_ID}]
    if sort == SECURITY and draw.percent(25):
        values["assignedLicenses"] = [{"disabledPlans": [], "skuId": "05e9a617-0261-4cee-bb44-138d3ef5d965"}]
        values["licenseProcessingState"] = {"state": "ProcessingComplete"}
    if draw.percent(5):
        values["uniqueName"] = f"program-{number}"
    if draw.percent(3):
        values["isManagementRestricted"] = True
    if draw.percent(2):
        values["serviceProvisioningErrors"] = [
            {"createdDateTime": origin.moment(draw, 3), "isResolved": False, "serviceInstance": "exchange/namprd04"}
        ]
    if sort == SECURITY and draw.percent(4):
        values["isAssignableToRole"] = True
    if sort == UNIFIED and draw.percent(10):
        values |= {"preferredDataLocation": draw.pick(("EUR", "NAM")), "preferredLanguage": draw.pick(("de", "en"))}
        values |= {"resourceBehaviorOptions": ["WelcomeEmailDisabled"], "theme": draw.pick(("Teal", "Purple"))}
    return values


def _unified(draw: Draw, number: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "resourceBehaviorOptions": [],
        "resourceProvisioningOptions": ["Team"] if draw.percent(60) else [],
        "theme": None,
        "visibility": draw.pick(("Public", "Private", "Private")),
    }
    if number == HIDDEN:
        values["visibility"] = "HiddenMembership"
    if draw.percent(10):
        values["classification"] = draw.pick(("Low", "Medium", "High"))
    return values


def _synced(origin: Origin, draw: Draw, number: int) -> dict[str, Any]:
    return {
        "onPremisesDomainName": f"corp.{origin.domain}",
        "onPremisesLastSyncDateTime": origin.moment(draw, draw.below(3)),
        "onPremisesNetBiosName": "CORP",
        "onPremisesSamAccountName": f"g{number:06d}",
        "onPremisesSecurityIdentifier": f"S-1-5-21-3623811015-3361044348-30300820-{2_000_000 + number}",
        "onPremisesSyncEnabled": True,
    }


def _rule(draw: Draw, number: int, types: list[str]) -> dict[str, Any]:
    if number == DYNAMIC_DEVICES:
        rule = '(device.deviceOSType -eq "Windows")'
    elif number == DYNAMIC or (number > 9 and draw.percent(8)):
        rule = f'(user.department -eq "{draw.pick(DEPARTMENT)}")'
    else:
        return {}
    return {
        "groupTypes": [*types, "DynamicMembership"],
        "membershipRule": rule,
        "membershipRuleProcessingState": "On",
    }
