"""`rollcall backup`, `restore` and `key` as an operator meets them: beside a running server, and without one."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.house.test_documents import fences
from tests.server.command.test_cli import TOKEN, Rollcall, assert_one_line


@pytest.fixture
def rollcall(tmp_path: Path) -> Rollcall:
    """The command on an empty data directory."""
    return Rollcall(tmp_path / "data")


@pytest.mark.slow(cases=0)
async def test_backup_is_taken_and_restored_as_the_document_says(rollcall: Rollcall, tmp_path: Path) -> None:
    """Beside a running server; restored only without one; afterwards it is as it was at the backup."""
    copy = tmp_path / "backup.db"
    async with rollcall.serving() as server:
        (token,) = TOKEN.findall(server.said)
        done = await rollcall.run("backup", str(copy))
        assert (done.code, done.err) == (0, "")
        assert "rollcall.key" in done.out and "was checked" in done.out
        assert (await rollcall.run("token", "revoke", "1")).code == 0
        assert await server.status(token) == 401
        refused = await rollcall.run("restore", str(copy))
        assert_one_line(refused, 1, f"id {server.process.pid}")
    done = await rollcall.run("restore", str(copy))
    assert (done.code, done.err) == (0, "")
    assert "replaced" in done.out and "open all its secrets" in done.out and "valid again" in done.out
    assert len(list(rollcall.data_dir.glob("rollcall.db.replaced-*"))) == 1
    async with rollcall.serving() as again:
        assert await again.status(token) == 200


@pytest.mark.slow(cases=0)
async def test_commands_of_the_document_work_one_after_the_other(rollcall: Rollcall, tmp_path: Path) -> None:
    """What a reader of the operations page copies into a shell does what stands there, without a server."""
    blocks = [fence.body for fence in fences("sh") if fence.path == "docs/operations.md" and "rollcall " in fence.body]
    assert (await rollcall.run("migrate")).code == 0
    told = []
    for line in "".join(blocks).splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "rollcall"
        done = await rollcall.run(*(str(tmp_path / word) if word.endswith(".db") else word for word in words[1:]))
        assert (done.code, done.err) == (0, ""), line
        told.append(words[1])
    assert told == ["backup", "backup", "restore", "key", "key", "key", "doctor", "doctor"]


@pytest.mark.slow(cases=0)
async def test_backup_says_nothing_when_it_shall_be_quiet(rollcall: Rollcall, tmp_path: Path) -> None:
    """For cron: silent when all went well, one line and exit 1 when not."""
    assert_one_line(await rollcall.run("backup", str(tmp_path / "copy.db"), "--quiet"), 1, "no database yet")
    assert (await rollcall.run("migrate")).code == 0
    done = await rollcall.run("backup", str(tmp_path / "copy.db"), "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert_one_line(await rollcall.run("backup", str(tmp_path / "copy.db"), "--quiet"), 1, "already")
    assert (await rollcall.run("backup", str(tmp_path / "copy.db"), "--quiet", "--replace")).code == 0


@pytest.mark.slow(cases=0)
async def test_restore_says_which_key_is_needed_on_another_machine(rollcall: Rollcall, tmp_path: Path) -> None:
    """Without the key the inventory is restored all the same, and the way on is told; with the key it opens."""
    assert (await rollcall.run("migrate")).code == 0
    assert (await rollcall.run("backup", str(tmp_path / "copy.db"))).code == 0
    other = Rollcall(tmp_path / "other")
    done = await other.run("restore", str(tmp_path / "copy.db"))
    key = (rollcall.data_dir / "rollcall.key").read_text()
    assert (done.code, done.err) == (0, "")
    assert f"key {key[:8]}" in done.out and "before you start the server" in done.out
    assert key.strip()[9:] not in done.out
    (other.data_dir / "rollcall.key").write_text(key)
    (other.data_dir / "rollcall.key").chmod(0o600)
    assert (await other.run("key", "check")).code == 0
    assert (await other.run("migrate")).code == 0


@pytest.mark.slow(cases=0)
async def test_key_is_made_checked_and_changed(rollcall: Rollcall, tmp_path: Path) -> None:
    """Beside the running server, which goes on with the new key; no output but that of `key new` holds a key."""
    async with rollcall.serving() as server:
        (token,) = TOKEN.findall(server.said)
        done = await rollcall.run("key", "rotate")
        assert (done.code, done.err) == (0, "")
        assert await server.status(token) == 200
    new, old = (rollcall.data_dir / "rollcall.key").read_text().split()
    checked = await rollcall.run("key", "check", "--json")
    assert json.loads(checked.out) == {
        "keys": [{"id": new[:8], "seals": True, "values": 1}, {"id": old[:8], "seals": False, "values": 0}],
        "unopened": [],
    }
    assert "no longer needed" in (await rollcall.run("key", "check")).out
    assert (await rollcall.run("key", "rotate", "--forget-old")).code == 0
    (only,) = (rollcall.data_dir / "rollcall.key").read_text().split()
    assert only[:8] not in (new[:8], old[:8])
    assert not [key for key in (new, old, only) if key[9:] in done.out + checked.out]
    (rollcall.data_dir / "rollcall.key").write_text(old)
    wrong = await rollcall.run("key", "check")
    assert (wrong.code, wrong.err.count("\n")) == (1, 1)
    assert only[:8] in wrong.out and "cannot be opened" in wrong.err


@pytest.mark.slow(cases=0)
async def test_new_key_is_printed_or_written_to_a_new_file(rollcall: Rollcall, tmp_path: Path) -> None:
    """What it makes is taken as a setting; a file that is there is never touched; no data directory is needed."""
    printed = (await rollcall.run("key", "new")).out.strip()
    path = tmp_path / "given-key"
    done = await rollcall.run("key", "new", "--file", str(path))
    assert (done.code, path.stat().st_mode & 0o777) == (0, 0o600)
    assert path.read_text().strip()[9:] not in done.out
    assert_one_line(await rollcall.run("key", "new", "--file", str(path)), 1, "already")
    assert not rollcall.data_dir.exists()
    keys = f"{path.read_text().strip()},{printed}"
    assert (await rollcall.run("migrate", ROLLCALL_KEYS=printed)).code == 0
    rotated = await rollcall.run("key", "rotate", ROLLCALL_KEYS=keys)
    assert (rotated.code, printed[:8] in rotated.out) == (0, True)
    assert (await rollcall.run("key", "check", ROLLCALL_KEYS_FILE=str(path))).code == 0


@pytest.mark.slow(cases=0)
async def test_server_goes_on_when_its_key_was_lost(rollcall: Rollcall) -> None:
    """The refusal names the command, which is refused as long as nothing is lost; then the server starts."""
    assert_one_line(await rollcall.run("key", "lost"), 1, "no database yet")
    assert (await rollcall.run("migrate")).code == 0
    assert_one_line(await rollcall.run("key", "lost"), 1, "is the database's")
    (rollcall.data_dir / "rollcall.key").unlink()
    assert_one_line(await rollcall.run("migrate"), 1, "rollcall key lost")
    assert (await rollcall.run("key", "lost")).code == 0
    assert (await rollcall.run("migrate")).code == 0
