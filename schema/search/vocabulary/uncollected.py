"""Keywords and sources of other products that no sync here reads: asking for one is an error that names it."""

from __future__ import annotations

from dataclasses import dataclass

from schema.field.attribute import ALIASES
from schema.field.attribute import folded as attribute_folded
from schema.field.registry import Noun
from schema.search.value import Reading
from schema.search.vocabulary.keyword import plain
from schema.suggestion import Suggestion


@dataclass(frozen=True)
class _Topic:
    """A kind of data that no sync reads.

    Args:
        what: its name.
        why: the reason.
        instead: what to ask for instead.
        names: the keywords about it, as `plain` spells them; a prefix ends in `*`.
        nouns: the inventories that it would belong to; empty for all.
    """

    what: str
    why: str
    instead: str
    names: str
    nouns: tuple[str, ...] = ()


_SCANS = "scans here look for addresses, names, ports, protocols and products"
_PERMISSION = "the directory shows it only with permissions that Rollcall does not request"
_OTHER = "no sync here reads the product it comes from"
_PRODUCTS = "Ask for what scans found: product, protocol, port, os_version."
_TOPICS = (
    _Topic(
        "Vulnerabilities",
        "scanner reports are read for hosts and services only",
        "Ask for old systems and open ports: os_version:<10.0.19045, port:3389.",
        "vulnerability vulnerabilities vulnerability* vuln* cve* cvss* epss* kev* exploit* patch* finding*",
    ),
    _Topic(
        "Risk",
        "no sync here reads a product that rates risks",
        "Ask for criticality, which people set, or tag.",
        "risk* outlier* exposure* attacksurface* surfacetype* modifiedrisk*",
    ),
    _Topic("Software", "no list of installed programs is read", _PRODUCTS, "software* app apps application installed*"),
    _Topic(
        "Certificates",
        _SCANS,
        "Ask for port:443 or protocol:tls.",
        "certificate* cert certs tls.* ssl.* sslcert* tlscert* jarm* ja3*",
    ),
    _Topic("Banners and answers of services", _SCANS, _PRODUCTS, "banner* ssh.* http.* smb.* ntlmssp.* snmp.* html*"),
    _Topic(
        "Wireless networks", _SCANS, "Ask for net or address.", "wireless* wlan* ssid* bssid* wifi wap accesspoint*"
    ),
    _Topic(
        "Round-trip times and hops", _SCANS, "Ask for alive or detected_by.", "lowestttl lowestrtt ttl rtt hops ip.ttl*"
    ),
    _Topic(
        "Endpoint protection",
        _OTHER,
        "Ask for what the directory says of the device: isManaged, isCompliant, mdmAppId.",
        "edr* antivirus av defender bitlocker isencrypted encrypted firewall jailbroken",
    ),
    _Topic(
        "Explorers and hosted zones",
        "scans run on this server",
        "Ask for the task or the site.",
        "agent agents agentname explorer* hostedzone* lastagentid cruncher*",
    ),
    _Topic(
        "Cloud and virtual machines",
        _OTHER,
        "Ask for manufacturer or model.",
        "virtual* hypervisor* cloudprovider ec2* aws* gcp* vmware*",
        ("Asset",),
    ),
    _Topic("Gateways and children", _SCANS, "Ask for net or address.", "gateway* child* switch vlan* subnet*"),
    _Topic("Custom integrations", "sources here are azuread and scan", "Ask for source.", "customintegration*"),
    _Topic(
        "Ownership types",
        "owners come only from the directory",
        "Ask for owner or has:owner.",
        "ownershiptype* ownership",
    ),
    _Topic(
        "Multi-factor authentication",
        _PERMISSION,
        "Ask for accountEnabled or last_password_change_date_time.",
        "mfa* is2sv* isenforcedin2sv isenrolledin2sv authenticationmethod* strongauth* passwordless* 2fa",
        ("User", "Group"),
    ),
    _Topic(
        "Directory roles",
        _PERMISSION,
        "Ask for group: roles are often given to groups (is_assignable_to_role:t of groups).",
        "role roles directoryrole* isadmin admin admins superuser access privileged* pim* adminconsent",
        ("User", "Group", "Asset"),
    ),
    _Topic(
        "Sign-in activity",
        _PERMISSION,
        "Ask when a device of the user was last seen (owned_assets.last_seen:<30days).",
        "lastlogin* lastlogon* lastsignin* signinactivity* signin signins sso risky*",
        ("User",),
    ),
    _Topic(
        "Conditional access and license compliance",
        "neither policies nor reports of the directory are read",
        "Ask for license, or for the state of licences: license_assignment_states.",
        "conditionalaccess* licensecompliance* licencecompliance* compliancepolicy* ca policy policies",
    ),
    _Topic(
        "Data that only on-premises directories have",
        _OTHER,
        "Ask for on_premises_sync_enabled and the other on_premises_ keywords.",
        "passwordexpired islockedout lockedout accountexpires* accountexpired objectclass msds* useraccountcontrol "
        "suspended samaccountname distinguishedname dnshostname objectsid objectguid pwdlastset*",
        ("User", "Group"),
    ),
    _Topic("Console accounts", "API tokens replace them", "Ask for apiTokens.", "consoleuser* activated", ("User",)),
)
# Sources that other products read.
SOURCES = frozenset(
    (
        "miradore aws crowdstrike azure censys vmware gcp sentinelone tenable nessus rapid7 insightvm qualys shodan "
        "ldap ms365defender ms3druntime defender intune googleworkspace sample tenablesecuritycenter packet wiz meraki "
        "mecm sccm tanium simulator netbox cip pan prisma dragos jamf custom okta servicenow kandji carbonblack cisco "
        "fortinet paloalto zscaler activedirectory ad"
    ).split()
)


def not_here() -> str:
    """Return the row of docs/search.md that lists all data that no sync reads."""
    topics = ", ".join(f"{topic.what[0].lower()}{topic.what[1:]}" for topic in _TOPICS)
    return f"| not here | {topics}; sources other than `azuread` and `scan`: [refused by name](#no-such-data-here) |"


def refuse_uncollected(noun: Noun, reading: Reading, name: str) -> None:
    """Refuse a keyword about data that no sync reads.

    Raises:
        BadSearch: the keyword is one; says why, and what to ask for instead.
    """
    if name.startswith("@"):
        _refuse_source(reading, name[1:].partition(".")[0])
        return
    wanted = attribute_folded(plain(name)).removeprefix("asset.").removeprefix("service.").removesuffix("ts")
    for topic in _TOPICS:
        if (not topic.nouns or noun.name in topic.nouns) and any(
            _matches(wanted, known) for known in topic.names.split()
        ):
            message = f"{topic.what}: no such data here"
            hint = Suggestion(f"There is none: {topic.why}. {topic.instead}")
            reading.refuse(message, hint=hint, is_unknown=True)


def _matches(wanted: str, known: str) -> bool:
    return wanted.startswith(known[:-1]) if known.endswith("*") else wanted in (known, f"{known}s")


def _refuse_source(reading: Reading, source: str) -> None:
    """Refuse a source that no sync reads.

    Raises:
        BadSearch: the source is one.
    """
    if source.casefold() in ALIASES:
        return
    named = source.casefold() if plain(source) in SOURCES else "This source"
    hint = f"No sync reads it. Sources: {', '.join(ALIASES)}."
    reading.refuse(f"{named}: no such data here", sorted(ALIASES), hint=hint, is_unknown=True)


def refuse_foreign_source(reading: Reading) -> None:
    """Refuse a source of other products as the value of `source:`.

    Raises:
        BadSearch: the value is one.
    """
    if plain(reading.literal) in SOURCES:
        _refuse_source(reading, plain(reading.literal))
