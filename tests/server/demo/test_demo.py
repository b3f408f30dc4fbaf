"""`rollcall demo`: from an empty folder to an inventory that equals the tenant, and again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from server.simulator import read_plan
from tests.server.demo.process import SIZES, run_demo, serving_demo

KEYS = {
    "assets", "users", "groups", "memberships", "requests", "retries", "throttledSeconds", "faults", "seconds", "equal",
    "graphqlSample", "attempts", "restarts", "kills",
}  # fmt: skip


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("seed", [1, 7])
def test_demo_prints_one_json_object_and_equality_when_run_once(tmp_path: Path, seed: int) -> None:
    """Exit 0 means that every object, field and edge equals the tenant's; standard output is one JSON object."""
    done = run_demo(tmp_path, "--once", "--json", "--seed", str(seed), *SIZES)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == KEYS
    assert found["equal"] is True
    assert found["users"] == 300
    assert found["groups"] == 40
    # Beside the devices, hosts that only the scan knows.
    assert 177 < found["assets"] <= 227
    assert found["memberships"] > 300
    assert found["graphqlSample"]["assets"]["nodes"]
    assert (found["attempts"], found["restarts"], found["kills"]) == (1, 0, 0)


@pytest.mark.slow(cases=0)
def test_demo_equals_the_tenant_after_a_rough_night(tmp_path: Path) -> None:
    """Throttling, 5xx, cut bodies, expired tokens, a 410 and a kill -9 cost tries and time, and nothing else."""
    done = run_demo(tmp_path, "--once", "--json", "--faults", "rough", "--users", "900", "--devices", "700")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["equal"] is True
    assert set(found["faults"]) == {rule.fault for rule in read_plan("rough").rules}
    # What the page that the kill cut off had cost is not on record.
    assert found["retries"] >= 5
    assert found["throttledSeconds"] >= 2
    assert (found["attempts"], found["kills"]) == (2, 1)
    assert found["restarts"] >= 1


@pytest.mark.slow(cases=0)
def test_demo_shows_what_went_wrong_when_it_did(tmp_path: Path) -> None:
    """The summary names the faults and what the run said about them."""
    done = run_demo(tmp_path, "--once", "--faults", "rough", "--users", "900", "--devices", "700")
    assert done.returncode == 0, done.stderr
    assert "closed.mid-body" in done.stdout
    assert "Everything is read again" in done.stdout
    assert "The run was interrupted; it continues with attempt 2." in done.stdout
    assert "the server was killed 1 times" in done.stdout
    assert "throttled for" in done.stdout


@pytest.mark.slow(cases=0)
def test_demo_refuses_a_plan_that_is_none(tmp_path: Path) -> None:
    """An unknown plan of faults is one line, before anything is synced."""
    done = run_demo(tmp_path, "--once", "--faults", "heavenly")
    assert done.returncode == 1
    assert "There is no plan heavenly" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow(cases=0)
def test_demo_writes_plain_lines_when_there_is_no_terminal(tmp_path: Path) -> None:
    """Progress goes to standard error as plain lines, without any escape code."""
    done = run_demo(tmp_path, "--once", *SIZES)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert "users: 300 of 300" in done.stderr


@pytest.mark.slow(cases=0)
def test_demo_goes_on_with_its_folder_when_run_again(tmp_path: Path) -> None:
    """A second run in the same folder works, says that it is one, and still equals the tenant."""
    assert run_demo(tmp_path, "--once", "--json", *SIZES).returncode == 0
    again = run_demo(tmp_path, "--once", "--json", *SIZES)
    assert again.returncode == 0, again.stderr
    assert "has been used before" in again.stderr
    assert json.loads(again.stdout)["equal"] is True


@pytest.mark.slow(cases=0)
def test_demo_follows_the_tenant_when_its_size_changed(tmp_path: Path) -> None:
    """A tenant that lost most of its objects since the last run is followed, not mixed with the old one."""
    assert run_demo(tmp_path, "--once", "--json", *SIZES).returncode == 0
    smaller = run_demo(tmp_path, "--once", "--json", "--users", "50", "--devices", "20", "--groups", "10")
    assert smaller.returncode == 0, smaller.stderr
    assert json.loads(smaller.stdout)["users"] == 50
    assert "no longer has 250 of 300 users" in smaller.stderr


@pytest.mark.slow(cases=0)
def test_demo_stops_with_its_processes_when_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends the demo with exit 0, and neither server nor tenant stays behind."""
    with serving_demo(tmp_path) as demo:
        children = _children(demo.process.pid)
        assert len(children) == 2
        assert demo.stop() == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow(cases=0)
def test_demo_says_one_line_when_its_port_is_taken(tmp_path: Path) -> None:
    """A port in use is one clear line and a non-zero exit, not a traceback."""
    with serving_demo(tmp_path / "first") as demo:
        port = demo.origin.rpartition(":")[2]
        done = run_demo(tmp_path / "second", "--port", port, "--once", *SIZES)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"port {port}" in done.stderr.splitlines()[-1]


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in os.listdir(tasks) for child in (tasks / task / "children").read_text().split()]
