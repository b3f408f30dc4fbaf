"""The control socket: the command line reaches the running server through it. Only the server's user may connect.

Each connection carries one request and one reply, each one line of JSON. Input bytes of a command follow its request.
If the request asks for progress, lines of progress precede the reply. The socket never listens on a network.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import structlog

from server.operator.operations import run_command
from server.operator.talk import Progress, Talk, nothing, read_pieces, send_pieces
from sync.errors import RollcallError
from sync.runtime import Runtime

log = structlog.stdlib.get_logger("rollcall.control")

SOCKET_NAME = "control.sock"
# The kernel's limit is 108 bytes on Linux and 104 on macOS, the final zero included.
SOCKET_PATH_BYTES_MAX = 100
REQUEST_BYTES_MAX = 64 * 1024
REPLY_BYTES_MAX = 4 * 1024 * 1024
REQUEST_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 30.0
"""Longest time that the command line waits for the next line of the server."""
PROGRESS_S = 1.0
"""Seconds between two lines of progress; they keep the command line from timing out."""


class Refusal(Exception):
    """The running server refused a command; the message and hint are the server's."""

    def __init__(self, code: str, message: str, hint: str | None) -> None:
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(message)


class ControlSocket:
    """Answers commands while the block runs.

    Args:
        runtime: the runtime that the commands use.
        data_dir: the socket's folder; this process must hold the folder's lock.
    """

    def __init__(self, runtime: Runtime, data_dir: Path) -> None:
        self._runtime = runtime
        self._address = data_dir.absolute() / SOCKET_NAME
        self._server: asyncio.Server | None = None
        self._detour: Path | None = None

    async def __aenter__(self) -> ControlSocket:
        """Start to listen; remove a socket that a killed process left behind."""
        self._address.unlink(missing_ok=True)
        path = self._address
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
            # Leave a link in the data directory, so that its path still leads to the socket.
            self._detour = Path(tempfile.mkdtemp(prefix="rollcall-"))
            path = self._detour / SOCKET_NAME
            self._address.symlink_to(path)
        listener = _bind(path)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=REQUEST_BYTES_MAX)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
        self._address.unlink(missing_ok=True)
        if self._detour is not None:
            shutil.rmtree(self._detour, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                line = await reader.readline()
            progress: Progress = {}
            talk = Talk(read_pieces(reader), progress.update)
            reply = await self._attended(writer, self._reply(line, talk), progress, wants=_wants_progress(line))
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                writer.write(reply + b"\n")
                await writer.drain()
                # Read everything first: unread data would reset the connection before the reply arrives.
                while await reader.read(REQUEST_BYTES_MAX):
                    pass
        except (TimeoutError, ValueError, OSError):
            # The caller was silent, left, or sent too long a line (ValueError of `readline`).
            log.warning("control.dropped")
        finally:
            writer.close()

    async def _attended(
        self, writer: asyncio.StreamWriter, work: Coroutine[Any, Any, bytes], progress: Progress, *, wants: bool
    ) -> bytes:
        """Return a command's reply, and send its progress meanwhile if the caller wants it."""
        running = asyncio.create_task(work)
        try:
            while wants and not (await asyncio.wait({running}, timeout=PROGRESS_S))[0]:
                # A command goes on even if its caller has left.
                if not writer.is_closing():
                    writer.write(orjson.dumps({"progress": progress}) + b"\n")
            return await running
        finally:
            running.cancel()

    async def _reply(self, line: bytes, talk: Talk) -> bytes:
        try:
            request = orjson.loads(line)
            name, arguments = request["command"], request["arguments"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _refused("BAD_USER_INPUT", "The request is malformed.", None)
        try:
            reply = orjson.dumps({"ok": True, "result": await run_command(self._runtime, name, arguments, talk)})
        except RollcallError as error:
            return _refused(error.code, error.message, error.hint)
        except Exception:
            # The request boundary: catch every exception, so that a failed command does not end the server.
            log.exception("control.internal", command=str(name)[:64])
            return _refused("INTERNAL", "The command failed.", "The server's log has the details.")
        log.info("control.done", command=name)
        return reply


def _wants_progress(line: bytes) -> bool:
    """Return whether a request asks for progress; command lines of earlier versions do not know such lines."""
    try:
        return bool(orjson.loads(line)["progress"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def _bind(path: Path) -> socket.socket:
    """Bind the socket with a umask, so that its file is never open to other users."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(umask)
    return listener


def _refused(code: str, message: str, hint: str | None) -> bytes:
    return orjson.dumps({"ok": False, "error": {"code": code, "message": message, "hint": hint}})


async def ask_server(
    data_dir: Path, name: str, arguments: dict[str, Any], talk: Talk | None = None
) -> dict[str, Any] | None:
    """Send a command to the running server; `talk` carries its input and its progress.

    Returns:
        The result, or None if no server listens for this data directory.

    Raises:
        Refusal: the server refused, failed or did not answer in time.
    """
    address = _address(data_dir)
    if address is None:
        return None
    try:
        reader, writer = await asyncio.open_unix_connection(address, limit=REPLY_BYTES_MAX)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError:
        raise Refusal(
            "FORBIDDEN", "The running server's control socket cannot be used.", "Run this as the server's user."
        ) from None
    try:
        request = {"command": name, "arguments": arguments, "progress": True}
        return await _exchange(reader, writer, request, talk or Talk(nothing(), lambda _: None))
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _address(data_dir: Path) -> Path | None:
    """Return the socket's path, or that behind the link if the path is too long; None without a socket."""
    address = data_dir.absolute() / SOCKET_NAME
    if address.is_symlink():
        return address.readlink()
    return address if address.exists() else None


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: dict[str, Any], talk: Talk
) -> dict[str, Any]:
    writer.write(orjson.dumps(request) + b"\n")
    feeding = asyncio.create_task(_feed(writer, talk))
    try:
        reply = await _reply(reader, talk)
    except (TimeoutError, ValueError, OSError):
        # Report an error of the input first: it may be why the server did not answer.
        if feeding.done() and not feeding.cancelled() and isinstance(error := feeding.exception(), RollcallError):
            raise error from None
        raise Refusal("UNAVAILABLE", "The running server did not answer.", "Look at its log, then try again.") from None
    finally:
        feeding.cancel()
        await asyncio.wait({feeding})
    if reply["ok"]:
        result: dict[str, Any] = reply["result"]
        return result
    error = reply["error"]
    raise Refusal(error["code"], error["message"], error["hint"])


async def _feed(writer: asyncio.StreamWriter, talk: Talk) -> None:
    try:
        await send_pieces(writer, talk.pieces)
    except ConnectionError:
        pass  # The server has stopped reading; its reply says why.
    except RollcallError:
        writer.close()
        raise


async def _reply(reader: asyncio.StreamReader, talk: Talk) -> dict[str, Any]:
    """Return the reply; pass lines of progress before it to `talk`."""
    while True:
        async with asyncio.timeout(REPLY_TIMEOUT_S):
            line: dict[str, Any] = orjson.loads(await reader.readline())
        if "progress" not in line:
            return line
        talk.tell(line["progress"])
