"""What people write from the habit of other languages: it means what it says, or is refused with what to write."""

from __future__ import annotations

import re

import pytest

from schema import build_schema
from schema.field.registry import NOUNS
from schema.search import parse_search
from schema.search.meaning import mistakes
from schema.search.vocabulary.uncollected import SOURCES
from sync.errors import BadSearch

build_schema()
# Inventory, what was typed → a text with the same meaning: it is found as that, or refused with a text that is.
MEANT = [
    ("Asset", "os:!=windows", "NOT os:windows"),
    ("Asset", "os:<>windows", "NOT os:windows"),
    ("Asset", "os:!windows", "NOT os:windows"),
    ("Asset", "os:!~windows", "NOT os:windows"),
    ("Asset", "os:≠windows", "NOT os:windows"),
    ("Asset", "os:~windows", "os:windows"),
    ("Asset", "os:=~windows", "os:windows"),
    ("Asset", "os:==windows", "os:=windows"),
    ("Asset", "source_count:=>2", "source_count:>=2"),
    ("Asset", "source_count:≤2", "source_count:<=2"),
    ("Asset", 'os:!="windows 10" alive:t', 'NOT os:"windows 10" alive:t'),
    ("Asset", "os:'windows 10'", 'os:"windows 10"'),
    ("Asset", "os:“windows 10”", 'os:"windows 10"'),
    ("Asset", "OS:Windows 10", 'os:"Windows 10"'),
    ("Asset", "os:Windows Server 2019 alive:t", 'os:"Windows Server 2019" alive:t'),
    ("Asset", "owner:Ann Alder", 'owner:"Ann Alder"'),
    ("Asset", "hw:=Dell OptiPlex", 'hw:="Dell OptiPlex"'),
    ("Asset", "type:[laptop, desktop]", "type:laptop,desktop"),
    ("Asset", "type:{laptop,'virtual machine'}", 'type:laptop,"virtual machine"'),
    ("Asset", "type:(laptop OR desktop)", "type:laptop,desktop"),
    ("Asset", "type:(laptop AND desktop)", "(type:laptop AND type:desktop)"),
    ("Asset", "type in (laptop, desktop)", "type:laptop,desktop"),
    ("Asset", "type not in [laptop, desktop]", "NOT type:laptop,desktop"),
    ("Asset", 'os IN ("windows 10", linux) alive:t', 'os:"windows 10",linux alive:t'),
    ("Asset", "type:laptop, desktop", "type:laptop,desktop"),
    ("Asset", "port:22,", "port:22"),
    ("Asset", "owner:none", "NOT has:owner"),
    ("Asset", "owner:NULL", "NOT has:owner"),
    ("Asset", "owner:nil OR owner.department:empty", "NOT has:owner OR NOT has:owner.department"),
    ("Asset", 'owner:""', "NOT has:owner"),
    ("Asset", "last_seen:none", "NOT has:last_seen"),
    ("Asset", "hostname is null", "NOT has:name"),
    ("Asset", "hostname is not null", "has:name"),
    ("Asset", "hostname = null", "NOT has:name"),
    ("Asset", "os=windows", "os:=windows"),
    ("Asset", "os != 'windows 10'", 'NOT os:="windows 10"'),
    ("Asset", "os like %win%", "os:%win%"),
    ("Asset", "name startswith web", 'name:="web%"'),
    ("Asset", "name endswith web alive:t", 'name:="%web" alive:t'),
    ("Asset", "source_count between 1 and 3", "(source_count:>=1 AND source_count:<=3)"),
    ("Asset", "source_count > 1", "source_count:>1"),
    ("Asset", "source_count:>1,000", "source_count:>1000"),
    ("Asset", "source_count:1-5", "(source_count:>=1 AND source_count:<=5)"),
    ("Asset", "last_seen:yesterday", "last_seen:<2days"),
    ("Asset", "last_seen:today", "last_seen:<1day"),
    ("Asset", "last_seen:2026-11", "last_seen:>=2026-11-01 AND last_seen:<2026-12-01"),
    ("Asset", "last_seen:2026-12", "last_seen:>=2026-12-01 AND last_seen:<2027-01-01"),
    ("Asset", "last_seen:>2026-11", "last_seen:>2026-11-01"),
    ("Asset", "last_seen:2026", "(last_seen:>=2026-01-01 AND last_seen:<2027-01-01)"),
    ("Asset", "last_seen:>90", "last_seen:>90days"),
    ("Asset", "last_seen:<30 days", "last_seen:<30days"),
    ("Asset", "last_seen:3days", "last_seen:<3days"),
    ("Asset", "last_seen:>now-7d", "last_seen:<7d"),
    ("Asset", 'last_seen:"3 days ago"', "last_seen:<3days"),
    ("Asset", "port:ssh", "protocol:ssh"),
    ("Asset", "port:22/tcp", "tcp:22"),
    ("Asset", "port:udp/53", "udp_port:53"),
    ("Asset", "ip:10.0.0.*", "ip:10.0.0.0/24"),
    ("Asset", "ip:10.0.*.*", "ip:10.0.0.0/16"),
    ("Asset", "ip:10.0.0.5-20", "ip:10.0.0.5-10.0.0.20"),
    ("Asset", "ip:10.0.0.9-10.0.0.1", "ip:10.0.0.1-10.0.0.9"),
    ("Asset", "department:Sales", "owner.department:Sales"),
    ("Asset", "department:=Sales,Finance", "owner.department:=Sales,Finance"),
    ("Asset", "has:department", "has:owner.department"),
    ("Asset", "user.department:Sales", "owner.department:Sales OR registered_users.department:Sales"),
    ("Asset", "missing:owner", "NOT has:owner"),
    ("Asset", "exists:owner", "has:owner"),
    ("Asset", "is:online", "alive:t"),
    ("Asset", "compliant:false", "@azuread.dev.isCompliant:f"),
    ("Asset", "mac:00-11-32-01-01-01", 'mac:"00:11:32:01:01:01"'),
    ("Asset", "name:laptop*", "name:=laptop%"),
    ("Asset", "os:*", "has:os"),
    ("Asset", "os:not windows", "NOT os:windows"),
    ("Asset", "-source:scan", "NOT source:scan"),
    ("Asset", "os :windows", "os:windows"),
    ("Asset", "os: windows", "os:windows"),
    ("Asset", "os_vesrion:<10", "os_version:<10"),
    ("Asset", "os:windows && alive:t", "os:windows AND alive:t"),
    ("Asset", "\u2013source:scan", "NOT source:scan"),
    ("Asset", "os:windows|linux", "os:windows,linux"),
    ("Asset", "os:^win", "os:=win%"),
    ("Asset", "os:^win$", "os:=win"),
    ("Asset", "os:.*win.*", "os:=%win%"),
    ("Asset", "os_version:10.0.19045-10.0.22631", "(os_version:>=10.0.19045 AND os_version:<=10.0.22631)"),
    ("Asset", "last_seen:-7d", "last_seen:<7d"),
    ("Asset", "last_seen:23/11/2026", "last_seen:2026-11-23"),
    ("Asset", "last_seen:>23.11.2026", "last_seen:>2026-11-23"),
    ("Asset", "last_seen:2026-11-01..2026-11-30", "(last_seen:>=2026-11-01 AND last_seen:<2026-12-01)"),
    ("User", "is:guest", "user_type:guest"),
    ("User", "department is null", "NOT has:department"),
    ("User", "os:windows", "owned_assets.os:windows"),
    ("User", "created:<30days", "created_at:<30days"),
]


def repaired(noun: str, text: str) -> str:
    """Return a text with all its mistakes repaired, each as its error says."""
    for _ in range(4):
        found = mistakes(NOUNS[noun], text)[1]
        if not found:
            return text
        assert found[0].repaired is not None, found[0]
        text = found[0].repaired
    raise AssertionError(text)


@pytest.mark.parametrize(("noun", "text", "meant"), MEANT)
def test_habit_finds_what_it_means_or_is_refused_with_what_to_write(noun: str, text: str, meant: str) -> None:
    """Nothing that people write from habit is answered with other rows than they mean, none included."""
    assert same(parse_search(noun, repaired(noun, text))) == same(parse_search(noun, meant))


def same(expr: object) -> str:
    """Write an expression without regard to how its names were spelt."""
    return repr(expr).casefold()


@pytest.mark.parametrize(("noun", "text", "meant"), MEANT)
def test_hint_of_a_habit_names_what_to_write(noun: str, text: str, meant: str) -> None:
    """Whoever reads the error alone, without `repaired`, is told the text."""
    found = mistakes(NOUNS[noun], text)[1]
    for error in found:
        written = re.findall(r"[Ww]rite (.+?)(?: for |, or |; |\. |\.$|: | without |$)", error.hint or "")
        assert written or "Did you mean" in (error.hint or "") or "comma" in (error.hint or ""), error.hint


def test_habit_about_disabled_accounts_leads_to_the_owner_when_assets_are_searched() -> None:
    """`isDisabled` of assets is a question about their owners, not about their devices."""
    text = repaired("Asset", "isDisabled:true")
    assert text.startswith("owner.")
    assert parse_search("Asset", text)


ACCEPTED = [
    ("windows 2022", 'windows AND "2022"'),
    ("os:windows laptop", "os:windows AND laptop"),
    ("type:server 10.0.0.5", "type:server AND 10.0.0.5"),
    ("os:Windows WEB-01", "os:Windows AND WEB-01"),
    ('os:"Windows" 10', "os:Windows AND 10"),
    ("owner:ann (10 OR 11)", "owner:ann AND (10 OR 11)"),
    ("(os:windows) 10", "os:windows AND 10"),
    ("name:O'Brien", 'name:"O\'Brien"'),
    ("O'Brien", '"O\'Brien"'),
]


@pytest.mark.parametrize(("text", "meant"), ACCEPTED)
def test_words_beside_each_other_are_several_conditions_when_nothing_joins_them(text: str, meant: str) -> None:
    """A word behind a term is a condition of its own unless it is a number, or both are names in capitals."""
    assert parse_search("Asset", text) == parse_search("Asset", meant)


@pytest.mark.parametrize("word", ["none", "null", "is", "~x", "[a, b]", "a,b", "windows 10", "*", "!x"])
def test_text_in_quotes_is_what_it_says(word: str) -> None:
    """No habit is seen in quotes, of whatever kind they are."""
    for opening, closing in ('""', "''", "“”", "„“", "«»", "\u2018\u2019"):
        assert parse_search("Asset", f"os:{opening}{word}{closing}") == parse_search("Asset", f'os:"{word}"')
        assert parse_search("Asset", f"{opening}{word}{closing}") == parse_search("Asset", f'"{word}"')


UNCOLLECTED = [
    ("Asset", "vulnerability_count:>0", "Vulnerabilities"),
    ("Asset", "vulnerabilities:critical", "Vulnerabilities"),
    ("Asset", "cve:CVE-2024-1", "Vulnerabilities"),
    ("Asset", "epss_score:>0.6", "Vulnerabilities"),
    ("Asset", "finding_name:x", "Vulnerabilities"),
    ("Asset", "risk:critical", "Risk"),
    ("Asset", "risk_rank:>2", "Risk"),
    ("Asset", "outlier:>1", "Risk"),
    ("Asset", "software:chrome", "Software"),
    ("Asset", "certificate:x", "Certificates"),
    ("Asset", "tls.notAfterTS:<now", "Certificates"),
    ("Asset", "wireless:x", "Wireless"),
    ("Asset", "edr.name:x", "Endpoint protection"),
    ("Asset", "hosted_zone:x", "Explorers"),
    ("Asset", "ntlmssp.dnsDomain:x", "Banners"),
    ("Asset", "source:crowdstrike", "crowdstrike"),
    ("Asset", "source:intune", "intune"),
    ("Asset", "@crowdstrike.dev.agentVersion:>1", "crowdstrike"),
    ("Asset", 'has:"@ldap.computer.memberOf"', "ldap"),
    ("Asset", "has:risk", "Risk"),
    ("Asset", "is:gateway", "Gateways"),
    ("User", "mfa:true", "Multi-factor"),
    ("User", "isEnforcedIn2Sv:f", "Multi-factor"),
    ("User", "role:admin", "roles"),
    ("User", "isAdmin:t", "roles"),
    ("User", "last_logon_at:>90days", "last_logon_at"),
    ("User", "passwordExpired:true", "a password has expired"),
    ("User", "has:accountExpiresTS", "on-premises"),
    ("User", "license_compliance:f", "license"),
    ("Task", "template_id:x", "task templates"),
]


@pytest.mark.parametrize(("noun", "text", "named"), UNCOLLECTED)
def test_search_for_what_is_not_here_says_so_by_name(noun: str, text: str, named: str) -> None:
    """What other products know and this one does not is an error that names it, never an empty list."""
    with pytest.raises(BadSearch) as caught:
        parse_search(noun, text)
    assert caught.value.is_unknown
    assert named in caught.value.message and "no such data here" in caught.value.message
    assert caught.value.hint
    for instead in re.findall(r"[a-z_][\w.]*:[^\s,)]*[^\s,).]", caught.value.hint):
        assert any(is_understood(inventory, instead) for inventory in ("Asset", "User", "Group", "Task")), instead


def is_understood(noun: str, text: str) -> bool:
    """Tell whether a text can be searched for."""
    return not mistakes(NOUNS[noun], text)[1]


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_source_of_another_product_is_refused_by_name(source: str) -> None:
    """Each source that other products read is known by name, also where its attributes are asked for."""
    for text in (f"source:{source}", f"NOT source:{source}", f"@{source}.dev.x:1"):
        with pytest.raises(BadSearch) as caught:
            parse_search("Asset", text)
        assert f"{source}: no such data here" in caught.value.message
