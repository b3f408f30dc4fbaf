"""Starts and stops the demo's processes, and no others."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sync.errors import DemoFailed

STOP_S = 15.0


class Child:
    """A process that runs a `rollcall` command; its standard error is read all the time, so that it never blocks.

    Args:
        arguments: the command's arguments.
        environment: the process's environment; None inherits ours.
    """

    _process: Process
    _listening: asyncio.Task[None]

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str] | None) -> None:
        self._arguments, self._environment = arguments, environment
        self._last_words = ""

    async def start(self, **settings: str) -> None:
        """Start the process, or start it again after its end; `settings` are added to its environment."""
        if settings:
            self._environment = {**(self._environment or {}), **settings}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "ignore", "-m", "server", *self._arguments),
            env=self._environment,
            stdout=PIPE,
            stderr=PIPE,
            # Only the demo gets Ctrl-C; it stops its processes one after the other.
            start_new_session=True,
        )
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def line(self, wanted: str, wait_s: float) -> str:
        """Return the first line of standard output that contains `wanted`.

        Raises:
            DemoFailed: the process ended, with its last line as the message, or wrote no such line in time.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        try:
            async with asyncio.timeout(wait_s):
                async for line in self._process.stdout:
                    if wanted in (text := line.decode().strip()):
                        return text
        except TimeoutError:
            raise DemoFailed(f"A process of the demo did not start within {wait_s:.0f} s.") from None
        await self._listening
        raise DemoFailed(self._last_words or None)

    async def stop(self) -> None:
        """Ask the process to stop, and kill it if it does not within `STOP_S`."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._end()
        except TimeoutError:
            self._process.kill()
            await self._end()

    async def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        self._process.kill()
        await self._end()

    async def _end(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        # Read to the end: a process that cannot write to its pipe does not stop.
        await self._process.stdout.read()
        await self._process.wait()
        await self._listening

    async def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was started with a pipe
        async for line in self._process.stderr:
            if text := line.decode(errors="replace").strip():
                self._last_words = text.removeprefix("rollcall: ").removeprefix("Error: ")


@asynccontextmanager
async def child(*arguments: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
    """Run `rollcall ARGUMENTS` while the block runs."""
    running = Child(arguments, environment)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
