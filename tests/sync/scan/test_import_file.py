"""`rollcall scan import`: a file of nmap becomes assets of a site, with its refusals in one line."""

from __future__ import annotations

import asyncio
import gzip
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from server.command.cli import main
from server.command.scan_import import HOSTS_A_LINE, ImportProgress
from server.operator.socket import SOCKET_NAME, ControlSocket, Refusal, ask_server
from server.operator.talk import Talk
from sync.runtime import DATABASE_FILE, Config, Runtime
from sync.scan.report.ingest import HOSTS_A_WRITE

HOST = (
    '<host endtime="1790000000"><status state="{state}"/><address addr="10.{a}.{b}.1" addrtype="ipv4"/>'
    '<hostnames><hostname name="pc-{a}-{b}" type="PTR"/></hostnames></host>'
)


def report(number: int, state: str = "up", start: int = 1_790_000_000) -> str:
    """Write a report of so many hosts."""
    hosts = "".join(HOST.format(a=place // 250, b=place % 250, state=state) for place in range(number))
    return f'<nmaprun start="{start}">{hosts}</nmaprun>'


def sent(data_dir: Path, data: bytes, *more: str) -> Result:
    """Run the command with this on its standard input."""
    arguments = ["scan", "import", "-", "--site", "Primary", *more]
    return CliRunner().invoke(main, arguments, input=data, env={"ROLLCALL_DATA_DIR": str(data_dir)})


def state(data_dir: Path) -> list[tuple[object, ...]]:
    """Return every scan record and asset, and the version of the inventory."""
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as database:
        tables = ("scan_records", "assets", "organizations")
        return [row for table in tables for row in database.execute(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608


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


def test_hosts_of_one_name_stay_apart_when_they_are_far_from_each_other_in_a_report(data_dir: Path) -> None:
    """In different transactions too; so they do where an earlier version had made one record of them."""
    merged = one_host(1, "pool.example").replace("<hostnames>", '<address addr="10.9.0.2" addrtype="ipv4"/><hostnames>')
    assert imported(data_dir, f"<nmaprun>{merged}</nmaprun>").output.startswith("1 hosts are new, ")
    some = report(HOSTS_A_WRITE).replace("</nmaprun>", "")
    text = (
        some.replace("<host ", one_host(1, "pool.example") + "<host ", 1) + one_host(2, "pool.example") + "</nmaprun>"
    )
    number = HOSTS_A_WRITE + 2
    assert imported(data_dir, text).output == f"{number - 1} hosts are new, 1 were known, 0 went silent.\n"
    assert imported(data_dir, text).output == f"0 hosts are new, {number} were known, 0 went silent.\n"


def test_hosts_of_a_pool_stay_what_they_are_when_it_grows_and_shrinks(data_dir: Path) -> None:
    """A name that too many have is left out, yet those that had it are found by it at their addresses."""
    for last, said in ((8, "8 hosts are new, 0"), (9, "1 hosts are new, 8"), (8, "0 hosts are new, 8")):
        hosts = "".join(one_host(number, "pool.example") for number in range(1, last + 1))
        text = f'<nmaprun start="1790000000">{hosts}</nmaprun>'
        assert imported(data_dir, text).output == f"{said} were known, 0 went silent.\n"
    text = f'<nmaprun start="1790000000">{one_host(8, "pool.example")}{one_host(9, "pool.example")}</nmaprun>'
    assert imported(data_dir, text).output == "0 hosts are new, 2 were known, 0 went silent.\n"


def test_host_of_a_report_stays_one_asset_when_it_gains_a_name(data_dir: Path) -> None:
    """What was known by its address is the same machine once it has a name."""
    for name, said in (("", "1 hosts are new, 0 were known"), ("nb-1.example", "0 hosts are new, 1 were known")):
        text = f'<nmaprun start="1790000000">{one_host(1, name)}</nmaprun>'
        assert imported(data_dir, text).output == f"{said}, 0 went silent.\n"


@pytest.mark.parametrize(
    ("text", "site", "more", "said"),
    [
        ("<nmaprun></host>", "Primary", (), "not well-formed"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><nmaprun/>', "Primary", (), "document type"),
        ("<nmaprun/>", "Nowhere", (), "no site of that name"),
        ("<nmaprun/>", "Primary", ("--organization", "Nobody"), "no organization of that name"),
    ],
    ids=["broken", "bomb", "site", "organization"],
)
def test_file_is_refused_in_one_line(data_dir: Path, text: str, site: str, more: tuple[str, ...], said: str) -> None:
    """Exit code 1 and what is wrong; no traceback."""
    result = imported(data_dir, text, *more, site=site)
    assert result.exit_code == 1
    assert said in result.output and result.output.count("\n") == 1


def test_nothing_is_written_when_the_same_report_is_imported_again(data_dir: Path) -> None:
    """Neither a row nor a time moves, packed or not, also if the report has no times of its hosts."""
    text = report(3).replace(' endtime="1790000000"', "") + report(2, "down", start=1_789_000_000)
    assert imported(data_dir, text).exit_code == 0
    before = state(data_dir)
    assert imported(data_dir, text).exit_code == 0
    assert sent(data_dir, gzip.compress(text.encode())).exit_code == 0
    assert state(data_dir) == before


def test_time_of_a_report_is_never_that_of_its_import(data_dir: Path) -> None:
    """A list was made when its file was written, or when the person says; on standard input somebody has to say."""
    path = data_dir.parent / "list.csv"
    path.write_text("address,port,protocol,service\n10.0.0.1,80,tcp,http\n")
    os.utime(path, (1_780_000_000, 1_780_000_000))
    arguments = ["scan", "import", str(path), "--site", "Primary"]
    assert CliRunner().invoke(main, arguments, env={"ROLLCALL_DATA_DIR": str(data_dir)}).exit_code == 0
    refused = sent(data_dir, path.read_bytes())
    assert refused.exit_code == 1 and "--made-at" in refused.output
    assert sent(data_dir, path.read_bytes(), "--made-at", "2026-01-01").exit_code == 0
    with closing(sqlite3.connect(data_dir / DATABASE_FILE)) as database:
        (seen,) = database.execute("SELECT first_seen, last_seen FROM scan_records").fetchall()
    assert seen == ("2026-01-01T00:00:00.000Z", "2026-05-28T20:26:40.000Z")


def test_report_that_was_cut_short_counts_and_says_so(data_dir: Path) -> None:
    """What an interrupted scan left is imported as far as it goes; an empty file is refused."""
    result = imported(data_dir, report(5)[:-200])
    assert (result.exit_code, "cut short" in result.output, "3 hosts are new" in result.output) == (0, True, True)
    empty = imported(data_dir, "")
    assert empty.exit_code == 1 and "is empty" in empty.output
    half = imported(data_dir, report(HOSTS_A_WRITE + 1) + "</nmaprun>")
    assert half.exit_code == 1 and f"The {HOSTS_A_WRITE + 1:,} hosts before it were imported." in half.output


@pytest.mark.timeout(60)
def test_pipe_and_device_are_refused_at_once(data_dir: Path) -> None:
    """Nobody writes into the pipe, and nothing waits for it."""
    pipe = data_dir.parent / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero"):
        arguments = ["scan", "import", path, "--site", "Primary"]
        result = CliRunner().invoke(main, arguments, env={"ROLLCALL_DATA_DIR": str(data_dir)})
        assert (result.exit_code, "rollcall scan import -" in result.output) == (1, True)


async def test_running_server_is_fed_and_tells_how_far_it_has_come(data_dir: Path) -> None:
    """Far more than it writes at once; it answers at the end, and refuses in the middle without losing its words."""
    number, told = 3 * HOSTS_A_WRITE, list[dict[str, int]]()
    arguments = {"site": "Primary", "organization": None, "made_at": None}

    async def pieces(text: str) -> AsyncIterator[bytes]:
        data = text.encode()
        for begin in range(0, len(data), 10_000):
            yield data[begin : begin + 10_000]

    runtime = await Runtime.open(Config(data_dir=data_dir), run_tasks=False)
    try:
        async with ControlSocket(runtime, data_dir):
            done = await ask_server(data_dir, "scan.import", arguments, Talk(pieces(report(number)), told.append))
            assert done == {"created": number, "merged": 0, "silent": 0, "warnings": []}
            bad = f"<nmaprun></host>{report(number)}"
            with pytest.raises(Refusal, match="not well-formed"):
                await ask_server(data_dir, "scan.import", arguments, Talk(pieces(bad), told.append))
    finally:
        await runtime.close()
    assert all(set(one) <= {"hosts", "bytes"} for one in told)


async def test_server_says_that_it_is_at_work_when_others_keep_it_waiting(data_dir: Path) -> None:
    """While somebody else writes, lines come all the same, so that the command line knows that it lives."""
    runtime = await Runtime.open(Config(data_dir=data_dir), run_tasks=False)
    told = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield report(1).encode()

    try:
        async with ControlSocket(runtime, data_dir):
            async with runtime.store.write():
                talk = Talk(pieces(), lambda _: told.set())
                asked = asyncio.create_task(ask_server(data_dir, "scan.import", {"site": "Primary"}, talk))
                await told.wait()
                assert not asked.done()
            assert (await asked or {})["created"] == 1
    finally:
        await runtime.close()


async def test_nobody_is_silent_when_the_command_line_goes_away(data_dir: Path) -> None:
    """Hosts that came whole count; what would have followed is not concluded from."""
    runtime = await Runtime.open(Config(data_dir=data_dir), run_tasks=False)
    try:
        async with ControlSocket(runtime, data_dir):
            reader, writer = await asyncio.open_unix_connection(data_dir / SOCKET_NAME)
            request = {"command": "scan.import", "arguments": {"site": "Primary"}}
            part = report(2).encode()[:-20]
            writer.write(orjson.dumps(request) + b"\n" + len(part).to_bytes(4, "big") + part)
            writer.write_eof()
            reply = orjson.loads(await reader.readline())
            writer.close()
    finally:
        await runtime.close()
    assert (reply["ok"], reply["error"]["code"]) == (False, "BAD_REPORT")
    assert "The 1 hosts before it were imported." in reply["error"]["message"]


def test_import_shows_how_far_it_has_come(capsys: pytest.CaptureFixture[str]) -> None:
    """A line now and then on standard error, where there is no terminal; nothing on standard output."""
    progress = ImportProgress(60_000_000, is_terminal=False)
    for hosts in range(0, 3 * HOSTS_A_LINE, HOSTS_A_WRITE):
        progress.tell({"hosts": hosts, "bytes": 1_000 * hosts})
    progress.close()
    said = capsys.readouterr()
    assert said.err.splitlines() == ["10,000 hosts, 10.0 MB of 60.0 MB", "20,000 hosts, 20.0 MB of 60.0 MB"]
    assert not said.out
