"""Searches as users of other inventories keep them: accepted as they are, or refused by name."""

from __future__ import annotations

import pytest

from schema import build_schema
from schema.search import parse_search
from sync.errors import BadSearch

build_schema()
# What each means is shown by rows in tests/api/test_search_examples.py and test_search_vocabulary.py.
ACCEPTED = [
    ("Asset", "protocol:http"),
    ("Asset", "protocol:ssh NOT port:22"),
    ("Asset", "transport:udp port:161"),
    ("Asset", "protocol:tls AND product:nginx"),
    ("Asset", "tcp:445"),
    ("Asset", "udp_count:>2"),
    ("Asset", "service_count_tcp:0 AND scanned:t"),
    ("Asset", "tcp_count:>=10"),
    ("Asset", "service_has_public:t"),
    ("Asset", "has_public_v4:t AND port:3389"),
    ("Asset", "has_public:f"),
    ("Asset", "multi_home:t"),
    ("Asset", 'mac_vendor:"Apple"'),
    ("Asset", 'mac:"00-50-56-AA-BB-CC"'),
    ("Asset", 'os:"Windows 11"'),
    ("Asset", 'os:"Windows Server 2019"'),
    ("Asset", "os:macos"),
    ("Asset", 'os:="Microsoft Windows 10%"'),
    ("Asset", "(os:ios OR os:ipados) AND NOT type:tablet"),
    ("Asset", 'hw:"Dell OptiPlex"'),
    ("Asset", "type:laptop"),
    ("Asset", "type:laptop,desktop,server"),
    ("Asset", "port:22,3389,5900"),
    ("Asset", "os_version:<10.0.22000 AND os:windows"),
    ("Asset", "os_eol:<now"),
    ("Asset", "os_eol_extended:>0"),
    ("Asset", "last_seen:>0"),
    ("Asset", "last_seen:0"),
    ("Asset", "last_seen:>90days"),
    ("Asset", 'first_seen:"<2weeks"'),
    ("Asset", "source:entra NOT source:scan"),
    ("Asset", 'source:"Microsoft Entra ID"'),
    ("Asset", "source:scan AND NOT source:azuread"),
    ("Asset", "source_count:>1"),
    ("Asset", '@azuread.dev.trustType:="ServerAd"'),
    ("Asset", "@AzureAD.DEV.isCompliant:f"),
    ("Asset", '@azuread.dev.id:="00000000-0000-0000-0000-000000000001"'),
    ("Asset", '@azuread.dev.azureId:="00000000-0000-0000-0000-000000000001"'),
    ("Asset", "@azuread.dev.approximateLastSignInDateTimeTS:>180d"),
    ("Asset", 'has:"@azuread.dev.enrollmentProfileName"'),
    ("Asset", 'owner:adele AND owner.department:="Finance"'),
    ("Asset", "NOT has:owner"),
    ("Asset", "owner.department:="),
    ("Asset", "port:="),
    ("Asset", "ip:10.0.0.0-10.0.0.255"),
    ("Asset", "net:10.0.0.0/8 AND NOT net:10.1.0.0/16"),
    ("Asset", "“windows 11” AND alive:t"),
    ("User", "is_disabled:t"),
    ("User", "isDisabled:true"),
    ("User", "password_never_expires:t AND is_disabled:f"),
    ("User", "lastPasswordChangeDateTimeTS:>365d"),
    ("User", "has_group:t"),
    ("User", 'member_of:"Finance"'),
    ("User", "group_name:=%admin%"),
    ("User", "organization:primary"),
    ("Group", "member:adele"),
    ("Group", "user_count:0"),
    ("Group", "has:member"),
    ("Task", "recur:t AND status:active"),
    ("Task", "recur_frequency:weekly"),
    ("Task", "recur_next:<1day"),
    ("Task", 'error:"AADSTS7000218"'),
    ("Site", "scope:10.0.0.0/8"),
    ("Credential", "secret_expires_at:<30days"),
]
REFUSED = [
    ("Asset", "vulnerability_count:>0"),
    ("Asset", "risk:critical"),
    ("Asset", "@crowdstrike.dev.agentVersion:>1"),
    ("User", "last_logon_at:>90days"),
]


@pytest.mark.parametrize(("noun", "text"), ACCEPTED)
def test_saved_query_is_accepted_as_it_is(noun: str, text: str) -> None:
    """Pasted from another product, it needs no change."""
    assert parse_search(noun, text) is not None


@pytest.mark.parametrize(("noun", "text"), REFUSED)
def test_saved_query_without_data_here_is_refused_by_name(noun: str, text: str) -> None:
    """An empty list would be read as good news."""
    with pytest.raises(BadSearch) as caught:
        parse_search(noun, text)
    assert "no such data here" in caught.value.message and caught.value.hint
