"""importScan: a report of nmap becomes assets of a site of one's own; bombs and rubbish become typed errors."""

from __future__ import annotations

import pytest

from schema.mutations.scan import XML_BYTES_MAX
from tests.api.mutation import assert_audited, perform
from tests.api.world import World

REPORT = """<?xml version="1.0"?><!DOCTYPE nmaprun><nmaprun scanner="nmap" start="1790000000">
<host starttime="1790000000" endtime="1790000001"><status state="up" reason="arp-response"/>
<address addr="10.9.0.1" addrtype="ipv4"/><address addr="02:00:00:00:00:99" addrtype="mac" vendor="Acme"/>
<hostnames><hostname name="imported-1.corp.example" type="PTR"/></hostnames>
<ports><port protocol="tcp" portid="443"><state state="open"/><service name="https" product="nginx" version="1.24"/>
</port></ports></host></nmaprun>"""
SERVICE = {"port": 443, "protocol": "tcp", "product": "nginx 1.24", "name": "https", "cpe": [], "transport": "tcp"}
SERVICE |= {"checkedAt": "2026-09-21T14:13:21.000Z", "askedAt": "2026-09-21T14:13:21.000Z"}
SERVICE |= {"protocols": ["http", "tls"]}
BOMB = '<!DOCTYPE nmaprun [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><nmaprun>&b;</nmaprun>'


async def test_report_becomes_assets_and_nothing_when_it_is_sent_again(office: World) -> None:
    """The first import makes the asset, the second knows it; search finds it; one audit row names the site."""
    caller = office.caller()
    outcome = await perform(office, caller, "importScan", site="site_1", xml=REPORT)
    assert outcome.payload["counts"] == {"inventory": "hosts", "created": 1, "merged": 0, "updated": 0, "silent": 0}
    assert_audited(outcome, caller, "importScan", "OK", "site_1")
    again = await perform(office, caller, "importScan", site="site_1", xml=REPORT)
    assert again.payload["counts"] == {"inventory": "hosts", "created": 0, "merged": 1, "updated": 0, "silent": 0}
    text = """{ assets(search: "source:scan AND name:imported-1.corp.example") { nodes {
      addresses macs alive manufacturer scan {
        services { port transport protocols askedAt protocol product name cpe checkedAt }
        osMatches { name } cpe scripts { script output }
      }
    } } }"""
    (asset,) = (await caller.data(text))["assets"]["nodes"]
    assert asset == {
        "addresses": ["10.9.0.1"],
        "macs": ["02:00:00:00:00:99"],
        "alive": True,
        "manufacturer": "Acme",
        "scan": [{"services": [SERVICE], "osMatches": [], "cpe": [], "scripts": []}],
    }


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        (BOMB, "declares a document type"),
        ("", "is empty"),
        (REPORT[:-20] + "</a>", "not well-formed"),
        ("<html/>", "not a report of nmap"),
        ("<nmaprun>" + " " * XML_BYTES_MAX + "</nmaprun>", "200,000"),
        ("\ud800<nmaprun/>", "known format"),
        ("10.0.0.1,80,tcp,http", "when it was made"),
    ],
    ids=["bomb", "empty", "half", "html", "long", "surrogate", "list"],
)
async def test_report_is_refused_when_it_is_none(office: World, xml: str, said: str) -> None:
    """Each is INVALID at `xml`, says what is wrong, and is audited."""
    outcome = await perform(office, office.caller(), "importScan", site="site_1", xml=xml)
    assert outcome.refusal() == ("INVALID", ["input", "xml"])
    assert said in outcome.payload["errors"][0]["message"]


async def test_report_is_refused_when_the_site_is_not_there(office: World) -> None:
    """A missing site is NOT_FOUND at `site`."""
    outcome = await perform(office, office.caller(), "importScan", site="site_9999", xml=REPORT)
    assert outcome.refusal() == ("NOT_FOUND", ["input", "site"])


async def test_list_is_imported_with_the_time_that_the_caller_gives(office: World) -> None:
    """A list does not say when it was made; a report that was cut short says so."""
    caller, csv = office.caller(), "10.9.1.1,80,tcp,http"
    outcome = await perform(office, caller, "importScan", site="site_1", xml=csv, madeAt="2026-01-01T00:00:00Z")
    assert outcome.payload["counts"]["created"] == 1
    report = REPORT.replace("00:99", "00:98").replace("imported-1", "imported-2").replace("10.9.0.1", "10.9.0.2")
    short = (await perform(office, caller, "importScan", site="site_1", xml=report + report[:60])).payload
    assert (short["counts"]["created"], len(short["warnings"])) == (1, 0)
    short = (await perform(office, caller, "importScan", site="site_1", xml=report + report[:140])).payload
    assert (short["counts"]["merged"], len(short["warnings"])) == (1, 1)
