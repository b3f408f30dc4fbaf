"""`rollcall scan import`: a file of nmap becomes assets of a site, with its refusals in one line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from sync.runtime import DATABASE_FILE
from sync.scan.ingest import HOSTS_A_WRITE

HOST = (
    '<host endtime="1790000000"><status state="{state}"/><address addr="10.{a}.{b}.1" addrtype="ipv4"/>'
    '<hostnames><hostname name="pc-{a}-{b}" type="PTR"/></hostnames></host>'
)


def report(number: int, state: str = "up", start: int = 1_790_000_000) -> str:
    """Write a report of so many hosts."""
    hosts = "".join(HOST.format(a=place // 250, b=place % 250, state=state) for place in range(number))
    return f'<nmaprun start="{start}">{hosts}</nmaprun>'


def imported(data_dir: Path, text: str, *more: str, site: str = "Primary") -> Result:
    """Run the command on a file with this text."""
    path = data_dir.parent / "report.xml"
    path.write_text(text)
    arguments = ["scan", "import", str(path), "--site", site, *more]
    return CliRunner().invoke(main, arguments, env={"ROLLCALL_DATA_DIR": str(data_dir)})


def test_file_becomes_assets_and_nothing_when_it_is_imported_again(data_dir: Path) -> None:
    """Hosts beyond one transaction's are written too; a later report that they were down makes them silent."""
    number = HOSTS_A_WRITE + 5
    assert imported(data_dir, report(number)).output == f"{number} hosts are new, 0 were known, 0 went silent.\n"
    assert imported(data_dir, report(number)).output == f"0 hosts are new, {number} were known, 0 went silent.\n"
    down = imported(data_dir, report(3, "down", start=1_790_000_100))
    assert down.output == "0 hosts are new, 0 were known, 3 went silent.\n"
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as database:
        rows = database.execute("SELECT alive, count(*) FROM assets GROUP BY alive ORDER BY alive").fetchall()
    assert rows == [(0, 3), (1, number - 3)]


def one_host(number: int, name: str = "", kind: str = "PTR", mac: str = "") -> str:
    """Write a host at an address of its own."""
    hardware = f'<address addr="{mac}" addrtype="mac"/>' if mac else ""
    names = f'<hostnames><hostname name="{name}" type="{kind}"/></hostnames>' if name else ""
    address = f'<address addr="10.9.0.{number}" addrtype="ipv4"/>'
    return f'<host endtime="1790000000"><status state="up"/>{address}{hardware}{names}</host>'


SHARED = {
    "a reverse name of all": [one_host(number, "pool.isp.example") for number in range(1, 13)],
    "a proxy's MAC address": [one_host(number, mac="0A:00:00:00:00:01") for number in range(1, 13)],
    "a name that the user typed": [one_host(number, "www.example.com", "user") for number in range(1, 4)],
}


@pytest.mark.parametrize("case", SHARED)
def test_hosts_of_a_report_stay_apart_when_they_share_what_tells_nothing(data_dir: Path, case: str) -> None:
    """A pool's name, a router's MAC address and what a person typed are no machine's; again they change nothing."""
    hosts = SHARED[case]
    text = f'<nmaprun start="1790000000">{"".join(hosts)}</nmaprun>'
    assert imported(data_dir, text).output == f"{len(hosts)} hosts are new, 0 were known, 0 went silent.\n"
    assert imported(data_dir, text).output == f"0 hosts are new, {len(hosts)} were known, 0 went silent.\n"


def test_host_of_a_report_stays_one_asset_when_it_gains_a_name(data_dir: Path) -> None:
    """What was known by its address is the same machine once it has a name."""
    for name, said in (("", "1 hosts are new, 0 were known"), ("nb-1.example", "0 hosts are new, 1 were known")):
        text = f'<nmaprun start="1790000000">{one_host(1, name)}</nmaprun>'
        assert imported(data_dir, text).output == f"{said}, 0 went silent.\n"


@pytest.mark.parametrize(
    ("text", "site", "more", "said"),
    [
        ("<nmaprun><host>", "Primary", (), "not well-formed"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><nmaprun/>', "Primary", (), "document type"),
        ("<nmaprun/>", "Nowhere", (), "no site of that name"),
        ("<nmaprun/>", "Primary", ("--organization", "Nobody"), "no organization of that name"),
    ],
    ids=["half", "bomb", "site", "organization"],
)
def test_file_is_refused_in_one_line(data_dir: Path, text: str, site: str, more: tuple[str, ...], said: str) -> None:
    """Exit code 1 and what is wrong; no traceback."""
    result = imported(data_dir, text, *more, site=site)
    assert result.exit_code == 1
    assert said in result.output and result.output.count("\n") == 1
