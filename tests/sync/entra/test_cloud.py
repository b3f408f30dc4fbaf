"""Promise N1: no address that a user supplies reaches a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.entra.cloud import Cloud, Endpoints, check_client_id, check_tenant, endpoints, parse_origin, sign_in_origins
from sync.errors import BadInput

GUID = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"


@pytest.mark.parametrize(
    ("cloud", "authority", "graph"),
    [
        (Cloud.GLOBAL, "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        (Cloud.GCC, "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        (Cloud.GCC_HIGH, "https://login.microsoftonline.us", "https://graph.microsoft.us"),
        (Cloud.DOD, "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        (Cloud.CHINA, "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_endpoints_are_microsofts_own_for_each_named_cloud(cloud: Cloud, authority: str, graph: str) -> None:
    """Each cloud has the two hosts of Microsoft's table, whatever the operator configured."""
    found = endpoints(cloud, Endpoints("https://a.test", "https://b.test"))
    assert (found.authority, found.graph, found.scope) == (authority, graph, f"{graph}/.default")


def test_endpoints_names_the_settings_when_custom_is_not_configured() -> None:
    """CUSTOM without settings says which settings are missing."""
    with pytest.raises(BadInput) as caught:
        endpoints(Cloud.CUSTOM)
    assert "ROLLCALL_CUSTOM_AUTHORITY_URL" in str(caught.value.hint)
    assert "ROLLCALL_CUSTOM_GRAPH_URL" in str(caught.value.hint)


def test_endpoints_are_the_operators_when_custom_is_configured() -> None:
    """CUSTOM uses the operator's origins in normal form."""
    found = endpoints(Cloud.CUSTOM, Endpoints("https://Login.Test:8443/", "https://graph.test:443"))
    assert (found.authority, found.graph) == ("https://login.test:8443", "https://graph.test")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://graph.test",
        "graph.test",
        "//graph.test",
        "https://",
        "https://graph.test/path",
        "https://graph.test?x",
        "https://graph.test#x",
        "https://user@graph.test",
        "https://user:pw@graph.test",
        "https://graph.test:0",
        "https://graph.test:65536",
        "https://graph.test:",
        "https://graph..test",
        "https://-graph.test",
        "https://graph.test.",
        "https://gr\u00e4ph.test",
        "https://graph.test\n.evil.test",
        "https://graph.test\\@evil.test",
        "https://graph.test%2eevil.test",
    ],
)
def test_origin_is_refused_when_it_is_more_or_less_than_scheme_host_port(text: str) -> None:
    """Only https, a host and a port make an origin."""
    with pytest.raises(BadInput):
        parse_origin(text)


@pytest.mark.parametrize("text", [GUID, "contoso.onmicrosoft.com", "Contoso.COM", "a-b.c1.xn--p1ai"])
def test_tenant_is_accepted_when_it_is_a_guid_or_a_domain(text: str) -> None:
    """A GUID and a domain are tenants; both are compared in lower case."""
    assert check_tenant(f" {text} ") == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "common",
        "organizations",
        "../common",
        "contoso.com/../x",
        "contoso.com@evil.test",
        "contoso.com#",
        "contoso.com?x=1",
        "contoso.com\r\nHost: evil.test",
        "contoso.com%2f..",
        "https://contoso.com",
        "contoso.com:443",
        "127.0.0.1",
        "[::1]",
        "contoso..com",
        "c\u043entoso.com",
        "\u0131.com",
        "\u212aontoso.com",
        "a" * 64 + ".com",
        ".".join(["abcdefgh"] * 40) + ".com",
        GUID + "0",
        "{" + GUID + "}",
    ],
)
def test_tenant_is_refused_when_it_could_change_the_address(text: str) -> None:
    """Nothing that could leave its path segment, and nothing that is not one tenant, is a tenant."""
    with pytest.raises(BadInput):
        check_tenant(text)


@given(st.text(max_size=80))
def test_tenant_never_holds_a_character_that_means_something_in_an_address(text: str) -> None:
    """Whatever is accepted consists of letters, digits, dots and hyphens."""
    try:
        tenant = check_tenant(text)
    except BadInput:
        return
    assert set(tenant) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


@pytest.mark.parametrize("text", ["", "app", "contoso.com", GUID + "\nx", GUID.replace("-", "")])
def test_client_id_is_refused_when_it_is_not_a_guid(text: str) -> None:
    """Only a GUID is a client id."""
    with pytest.raises(BadInput):
        check_client_id(text)


def test_sign_in_origins_are_one_but_for_the_two_names_of_china() -> None:
    """A secret may go to its authority alone; in China the same service has two names."""
    assert sign_in_origins("https://login.microsoftonline.com") == {"https://login.microsoftonline.com"}
    assert len(sign_in_origins("https://login.chinacloudapi.cn")) == 2
