"""The report of `rollcall scan import`: a file or standard input, read here, and how far its import has come."""

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
    """Where a report comes from.

    Args:
        file: what is read.
        size: how many bytes it has; None if nobody knows.
        made_at: when it was written; None if nobody knows.
    """

    file: BinaryIO
    size: int | None
    made_at: datetime | None

    def close(self) -> None:
        """Close the file; standard input is not ours."""
        if self.file is not sys.stdin.buffer:
            self.file.close()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the report.

        Raises:
            BadReport: it can be read no further.
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
    """Open a report, or standard input if it is named `-`.

    Raises:
        BadReport: it cannot be read, or is no file: to read a pipe or a device here could take for ever.
    """
    if path == STDIN:
        return Source(sys.stdin.buffer, None, None)
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            # Do not wait here: the path may have become a pipe since it was checked.
            number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            found = os.fstat(number)
            if stat.S_ISREG(found.st_mode):
                return Source(os.fdopen(number, "rb"), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
            os.close(number)
    except OSError as error:
        raise BadReport(f"The file cannot be read ({error.strerror}).") from None
    hint = "Send what a pipe or a device holds over standard input: `rollcall scan import -`."
    raise BadReport("The report is not a file.", hint=hint)


class ImportProgress:
    """Shows how far an import has come, on standard error: one line that changes, or a line now and then."""

    def __init__(self, bytes_: int | None, *, is_terminal: bool) -> None:
        self._bytes, self._is_terminal = bytes_, is_terminal
        self._said = 0

    def tell(self, progress: Progress) -> None:
        """Take how far it has come."""
        hosts, read = progress.get("hosts", 0), progress.get("bytes", 0)
        of = f" of {_megabytes(self._bytes)}" if self._bytes else ""
        text = f"{hosts:,} hosts, {_megabytes(read)}{of}"
        if self._is_terminal:
            click.echo(f"\r{text:<60}", err=True, nl=False)
        elif hosts // HOSTS_A_LINE > self._said:
            self._said = hosts // HOSTS_A_LINE
            click.echo(text, err=True)

    def close(self) -> None:
        """Leave the line."""
        if self._is_terminal:
            click.echo("\r" + " " * 60 + "\r", err=True, nl=False)


def _megabytes(number: int) -> str:
    return f"{number / 1_000_000:,.1f} MB"
