"""The hosts that a credential may talk to: two https origins for each cloud, never an address from a user.

The cloud is an enumeration; the tenant and the client id must match strict patterns. Only the operator's settings name
other hosts (CUSTOM). No text from the API can send a secret or a token to another machine.

Source: learn.microsoft.com/graph/deployments,
learn.microsoft.com/entra/identity-platform/authentication-national-cloud
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from pathlib import Path

from sync.errors import BadInput

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TOP_LABEL = r"(?:[a-z]{2,63}|xn--[a-z0-9-]{1,58}[a-z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_TOP_LABEL}", re.ASCII)
_ORIGIN = re.compile(
    rf"https://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])(?::(?P<port>[0-9]{{1,5}}))?/?",
    re.ASCII,
)
_DOMAIN_CHARACTERS_MAX = 253
_HTTPS_PORT = 443
_PORT_MAX = 65535


class Cloud(enum.StrEnum):
    """A Microsoft cloud; CUSTOM is defined by the operator in the server's settings."""

    GLOBAL = "GLOBAL"
    GCC = "GCC"
    GCC_HIGH = "GCC_HIGH"
    DOD = "DOD"
    CHINA = "CHINA"
    CUSTOM = "CUSTOM"


def parse_origin(text: str) -> str:
    """Return an https origin in normal form: lower case, no default port, no trailing slash.

    Raises:
        BadInput: another scheme, user info, a path, a query, a fragment or an impossible port.
    """
    match = _ORIGIN.fullmatch(text.strip().lower())
    if match is None or len(match["host"]) > _DOMAIN_CHARACTERS_MAX:
        raise BadInput("The address is not an https origin.", hint="Write it as https://host or https://host:port.")
    port = int(match["port"] or _HTTPS_PORT)
    if not 0 < port <= _PORT_MAX:
        raise BadInput("The address has an impossible port.", hint="A port is a number from 1 to 65535.")
    return f"https://{match['host']}" + ("" if port == _HTTPS_PORT else f":{port}")


@dataclass(frozen=True)
class Endpoints:
    """The https origins of the sign-in service and of Graph, without a path.

    `ca_file` names the only certificate authority to trust; None: those of the machine.
    """

    authority: str
    graph: str
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "authority", parse_origin(self.authority))
        object.__setattr__(self, "graph", parse_origin(self.graph))

    @property
    def scope(self) -> str:
        """The scope that asks for every permission the app registration was granted on Graph."""
        return f"{self.graph}/.default"


_GLOBAL = Endpoints("https://login.microsoftonline.com", "https://graph.microsoft.com")

_ENDPOINTS = {
    Cloud.GLOBAL: _GLOBAL,
    Cloud.GCC: _GLOBAL,  # GCC (moderate) uses the global hosts; only GCC High has its own.
    Cloud.GCC_HIGH: Endpoints("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    Cloud.DOD: Endpoints("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    Cloud.CHINA: Endpoints("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
}

# Two names of one token service: the metadata of either may name the other.
_SAME_SERVICE = frozenset({"https://login.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"})


def endpoints(cloud: Cloud, custom: Endpoints | None = None) -> Endpoints:
    """Return the two origins of a cloud; `custom` comes from the operator's settings, never from a request.

    Raises:
        BadInput: the cloud is CUSTOM and the operator has not defined one.
    """
    if cloud is not Cloud.CUSTOM:
        return _ENDPOINTS[cloud]
    if custom is None:
        raise BadInput(
            "This server has no custom cloud.",
            hint="The operator sets ROLLCALL_CUSTOM_AUTHORITY_URL and ROLLCALL_CUSTOM_GRAPH_URL.",
        )
    return custom


def sign_in_origins(authority: str) -> frozenset[str]:
    """Return the origins that may receive a secret when `authority` is the sign-in service."""
    return _SAME_SERVICE if authority in _SAME_SERVICE else frozenset({authority})


def check_tenant(text: str) -> str:
    """Return the tenant in lower case.

    Raises:
        BadInput: it is neither a GUID nor a DNS domain; `common` and `organizations` are refused too.
    """
    tenant = text.strip().lower()
    is_domain = len(tenant) <= _DOMAIN_CHARACTERS_MAX and _DOMAIN.fullmatch(tenant)
    if text.isascii() and (GUID.fullmatch(tenant) or is_domain):
        return tenant
    raise BadInput(
        "The tenant id is neither a GUID nor a domain.",
        hint="Entra admin center → Overview → Tenant ID, or a domain such as contoso.onmicrosoft.com.",
    )


def check_client_id(text: str) -> str:
    """Return the application (client) id in lower case.

    Raises:
        BadInput: it is not a GUID.
    """
    client_id = text.strip().lower()
    if text.isascii() and GUID.fullmatch(client_id):
        return client_id
    raise BadInput(
        "The client id is not a GUID.",
        hint="App registrations → your app → Overview → Application (client) ID.",
    )
