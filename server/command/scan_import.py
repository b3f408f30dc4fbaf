"""Reads the report for `rollcall scan import` from a file or standard input, and shows the import's progress."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

import click

from server.operator.talk import Progress
from sync.errors import BadReport

PIECE_BYTES = 256 * 1024
HOSTS_A_LINE = 10_000
STDIN = "-"


@dataclass(frozen=True)
class Source:
    """The source of a report.

    Args:
        file: the file to read.
        size: its bytes; None if unknown.
        made_at: the time of its last change; None if unknown.
    """

    file: BinaryIO
    size: int | None
    made_at: datetime | None

    def close(self) -> None:
        """Close the file, but not standard input."""
        if self.file is not sys.stdin.buffer:
            self.file.close()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the report.

        Raises:
            BadReport: the file cannot be read.
        """
        while True:
            try:
                piece = await asyncio.to_thread(self.file.read, PIECE_BYTES)
            except OSError as error:
                raise BadReport(f"The file cannot be read ({error.strerror}).") from None
            if not piece:
                return
            yield piece


def open_source(path: str) -> Source:
    """Open a report, or standard input for `-`.

    Raises:
        BadReport: it cannot be read, or is not a regular file: reading a pipe or a device could take forever.
    """
    if path == STDIN:
        return Source(sys.stdin.buffer, None, None)
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            # Open without waiting: the path may have become a pipe since the check.
            number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            found = os.fstat(number)
            if stat.S_ISREG(found.st_mode):
                return Source(os.fdopen(number, "rb"), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
            os.close(number)
    except OSError as error:
        raise BadReport(f"The file cannot be read ({error.strerror}).") from None
    hint = "Read a pipe or a device from standard input: `rollcall scan import -`."
    raise BadReport("The report is not a regular file.", hint=hint)


class ImportProgress:
    """Shows an import's progress on standard error: a changing line on a terminal, else a line every 10,000 hosts."""

    def __init__(self, bytes_: int | None, *, is_terminal: bool) -> None:
        self._bytes, self._is_terminal = bytes_, is_terminal
        self._said = 0

    def tell(self, progress: Progress) -> None:
        """Show the progress."""
        hosts, read = progress.get("hosts", 0), progress.get("bytes", 0)
        of = f" of {_megabytes(self._bytes)}" if self._bytes else ""
        text = f"{hosts:,} hosts, {_megabytes(read)}{of}"
        if self._is_terminal:
            click.echo(f"\r{text:<60}", err=True, nl=False)
        elif hosts // HOSTS_A_LINE > self._said:
            self._said = hosts // HOSTS_A_LINE
            click.echo(text, err=True)

    def close(self) -> None:
        """Clear the line on a terminal."""
        if self._is_terminal:
            click.echo("\r" + " " * 60 + "\r", err=True, nl=False)


def _megabytes(number: int) -> str:
    return f"{number / 1_000_000:,.1f} MB"
