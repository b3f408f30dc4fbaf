"""`rollcall doctor`: each thing that can be wrong is named with what to do; a sound installation is left in peace."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import date, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from server.command.doctor.cloud import check_clouds
from server.command.doctor.command import examine
from server.command.doctor.exposure import check_edge
from server.command.doctor.fact import FACTS_LAST, check_facts
from server.command.doctor.finding import Finding, State
from server.command.doctor.machine import check_sqlite, has_wal_reset_fault
from server.settings import Settings
from sync.entra.cloud import Endpoints
from sync.inventory.fingerprint.lifecycle import LIFECYCLES
from sync.inventory.fingerprint.windows import WINDOWS
from sync.runtime import Config, Runtime
from tests.server.command.test_cli import Rollcall, assert_one_line
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.wire import Certificates, make_certificates, response, wire


@pytest.fixture
def rollcall(tmp_path: Path) -> Rollcall:
    """The command on an empty data directory."""
    return Rollcall(tmp_path / "data")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a certificate authority for loopback."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
async def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data directory of a new installation, closed; copied by each test."""
    data_dir = tmp_path_factory.mktemp("sound") / "data"
    await (await Runtime.open(Config(data_dir), run_tasks=False)).close()
    return data_dir


def look(data_dir: Path) -> dict[str, str]:
    """Return the worst state of each check; whatever is not well comes with advice."""
    found = list(examine(Settings(data_dir=data_dir), full=True, offline=True))
    assert all(one.message and bool(one.advice) == (one.state is not State.OK) for one in found)
    order = list(State)
    worst: dict[str, str] = {}
    for one in sorted(found, key=lambda one: order.index(one.state)):
        worst[one.check] = one.state.value
    return worst


@pytest.mark.slow(cases=0)
async def test_sound_installation_has_nothing_wrong(rollcall: Rollcall) -> None:
    """Beside the running server: nothing fails, and what it prints for programs is what it prints for people."""
    async with rollcall.serving():
        done, printed = await rollcall.run("doctor", "--json"), await rollcall.run("doctor", "--full")
    told = json.loads(done.out)
    assert (done.code, done.err, printed.code, told["ok"]) == (0, "", 0, True)
    assert {one["state"] for one in told["checks"] if one["check"] != "sqlite"} == {"ok"}
    lines = [line for line in printed.out.splitlines() if not line.startswith(" ")]
    assert [line.split()[:2] for line in lines] == [[one["state"], one["check"]] for one in told["checks"]]
    assert "no credential is stored yet" in printed.out.lower()


def test_doctor_touches_nothing_before_the_first_start(tmp_path: Path) -> None:
    """It says that there is no data directory, and makes none."""
    assert look(tmp_path / "data")["folder"] == "warn"
    assert not (tmp_path / "data").exists()


def _open_folder(data_dir: Path) -> None:
    data_dir.chmod(0o755)


def _open_key(data_dir: Path) -> None:
    (data_dir / "rollcall.key").chmod(0o640)


def _open_database(data_dir: Path) -> None:
    (data_dir / "rollcall.db").chmod(0o644)


def _other_key(data_dir: Path) -> None:
    (data_dir / "rollcall.key").write_text("0a1b2c3d:" + "A" * 43 + "=\n")


def _no_key(data_dir: Path) -> None:
    (data_dir / "rollcall.key").unlink()


def _text(data_dir: Path) -> None:
    (data_dir / "rollcall.db").write_text("not a database " * 1_000)


def _sql(statement: str) -> Callable[[Path], None]:
    def change(data_dir: Path) -> None:
        with closing(sqlite3.connect(data_dir / "rollcall.db")) as database:
            database.execute(statement)
            database.commit()

    return change


def _torn(data_dir: Path) -> None:
    path = data_dir / "rollcall.db"
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_runs_status'").fetchone()
    content = bytearray(path.read_bytes())
    content[8192 * (page - 1) : 8192 * page] = bytes(8192)
    path.write_bytes(content)


EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it
DANGLING = "INSERT INTO sites (organization_id, name, created_at, updated_at) VALUES (99, 'x', '', '')"


def _no_database(data_dir: Path) -> None:
    (data_dir / "rollcall.db").unlink()


def _empty_database(data_dir: Path) -> None:
    (data_dir / "rollcall.db").write_bytes(b"")


def _writable_database(data_dir: Path) -> None:
    (data_dir / "rollcall.db").chmod(0o666)


WRONG: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "folder of others": (_open_folder, "folder", "warn"),
    "database of others": (_open_database, "folder", "warn"),
    "key of others": (_open_key, "key", "fail"),
    "database that others change": (_writable_database, "folder", "fail"),
    "key without a database": (_no_database, "migrations", "warn"),
    "key beside an empty database": (_empty_database, "migrations", "warn"),
    "other key": (_other_key, "key", "fail"),
    "no key": (_no_key, "key", "fail"),
    "text": (_text, "database", "fail"),
    "newer": (_sql("UPDATE alembic_version SET version_num = '9999'"), "database", "fail"),
    "foreign": (_sql("DROP TABLE alembic_version"), "database", "fail"),
    "torn": (_torn, "integrity", "fail"),
    "dangling": (_sql(DANGLING), "integrity", "fail"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong_is_named(sound: Path, tmp_path: Path, name: str) -> None:
    """Each fault shows at its own check, which was well before."""
    spoil, check, state = WRONG[name]
    mine = Path(shutil.copytree(sound, tmp_path / "data"))
    assert look(mine).get(check, "ok") == "ok"
    spoil(mine)
    assert look(mine)[check] == state


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"host": "::1"}, "ok"),
        ({"host": "localhost"}, "ok"),
        ({"host": EVERYWHERE}, "warn"),
        ({"host": "::"}, "warn"),
        ({"host": "192.0.2.7"}, "warn"),
        ({"host": "inventory.example"}, "warn"),
        ({"host": EVERYWHERE, "trusted_proxies": ("10.0.0.0/8",)}, "ok"),
        ({"host": EVERYWHERE, "tls_cert_file": Path("cert.pem"), "tls_key_file": Path("key.pem")}, "ok"),
    ],
)
def test_server_that_others_reach_in_the_clear_is_warned_of(changes: dict[str, Any], state: str) -> None:
    """Only TLS, a proxy that is named, or loopback keeps tokens from who is on the way."""
    (found,) = check_edge(Settings(**changes))
    assert found.state.value == state and bool(found.advice) == (state == "warn")


async def test_exit_code_tells_that_something_fails(rollcall: Rollcall) -> None:
    """1 for what fails, and for settings 2, in one line."""
    rollcall.data_dir.mkdir(mode=0o700)
    _text(rollcall.data_dir)
    done = await rollcall.run("doctor", "--json", "--offline")
    assert (done.code, json.loads(done.out)["ok"], done.err) == (1, False, "")
    assert_one_line(await rollcall.run("doctor", ROLLCALL_PORT="x"), 2, "ROLLCALL_PORT")


@pytest.mark.parametrize(
    ("version", "has_fault"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_wal_reset_fault_is_known_by_the_version(version: tuple[int, int, int], has_fault: bool) -> None:
    """The lines that were mended are told from those that were not, and only the latter get the advice."""
    assert has_wal_reset_fault(version) == has_fault
    first = next(check_sqlite(version))
    assert (first.state is State.WARN, "backup" in (first.advice or "")) == (has_fault, has_fault)


@asynccontextmanager
async def cloud(certificates: Certificates, ahead_s: float, clock: FakeClock) -> AsyncIterator[Endpoints]:
    """Serve a cloud whose clock our own is so many seconds ahead of; what it answers else does not matter."""
    there = format_datetime(clock.now() - timedelta(seconds=ahead_s), usegmt=True)
    async with wire(certificates, lambda _: response(404, b"", f"date: {there}")) as server:
        yield Endpoints(server.origin, server.origin, certificates.ca_file)
        assert all("uthorization" not in heard.head for heard in server.heard)


def states(found: list[Finding]) -> dict[str, str]:
    """Return the state of each check."""
    return {one.check: one.state.value for one in found}


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(0, "ok"), (-20, "ok"), (60, "warn"), (-200, "warn"), (400, "fail"), (-90_000, "fail")]
)
async def test_clock_is_compared_with_the_clouds(certificates: Certificates, ahead_s: float, state: str) -> None:
    """Half a minute is nothing, five minutes are too much, in both directions."""
    clock = FakeClock()
    async with cloud(certificates, ahead_s, clock) as custom:
        found = await check_clouds(["CUSTOM"], custom, clock)
    assert states(found) == {"connection": "ok", "clock": state}
    assert ("ahead" if ahead_s > 0 else "behind") in found[-1].message or state == "ok"


async def test_cloud_that_cannot_be_reached_is_named_with_the_reason(certificates: Certificates) -> None:
    """Nobody there, another's certificate, no such cloud: each in words, and no clock is compared."""
    clock = FakeClock()
    async with cloud(certificates, 0, clock) as custom:
        untrusted = await check_clouds(["CUSTOM"], Endpoints(custom.authority, custom.graph), clock)
    gone = await check_clouds(["CUSTOM"], custom, clock)
    unknown = await check_clouds(["CUSTOM"], None, clock)
    assert [states(found) for found in (untrusted, gone, unknown)] == [{"connection": "fail"}] * 3
    assert "not trusted" in untrusted[0].message and "refused" in gone[0].message
    assert all(one.advice for found in (untrusted, gone, unknown) for one in found)


def test_ends_of_support_are_doubted_when_nobody_has_compared_them_for_a_year() -> None:
    """The day counts of the table that was left alone longest; the advice says where the table is."""
    oldest = min(date.fromisoformat(table.checked) for table in (WINDOWS, *LIFECYCLES))
    (fresh,), (old,) = check_facts(oldest + FACTS_LAST), check_facts(oldest + FACTS_LAST + timedelta(days=1))
    assert (fresh.state, old.state) == (State.OK, State.WARN)
    assert str(oldest) in old.message
    assert "docs/assets.md" in str(old.advice)
