"""The input of a running command, and its progress in return."""

from __future__ import annotations

from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from sync.errors import BadReport

PIECE_BYTES = 64 * 1024
_LENGTH_BYTES = 4

Progress = dict[str, int]


@dataclass(frozen=True)
class Talk:
    """One command's input and progress.

    Args:
        pieces: the input.
        tell: takes the progress, any number of times.
    """

    pieces: AsyncIterator[bytes]
    tell: Callable[[Progress], None]


async def nothing() -> AsyncIterator[bytes]:
    """Yield no piece; the input of a command without input."""
    for piece in tuple[bytes, ...]():
        yield piece


async def send_pieces(writer: StreamWriter, pieces: AsyncIterator[bytes]) -> None:
    """Send pieces, each preceded by its length; length 0 marks the end."""
    async for piece in pieces:
        for begin in range(0, len(piece), PIECE_BYTES):
            part = piece[begin : begin + PIECE_BYTES]
            writer.write(len(part).to_bytes(_LENGTH_BYTES, "big") + part)
            await writer.drain()
    writer.write(bytes(_LENGTH_BYTES))
    await writer.drain()


async def read_pieces(reader: StreamReader) -> AsyncIterator[bytes]:
    """Yield the pieces that `send_pieces` sent.

    Raises:
        BadReport: the sender left before the end, or sent something else.
    """
    while True:
        try:
            length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
            if not length:
                return
            if length > PIECE_BYTES:
                raise BadReport("The input is not a report in pieces.", hint="The server may be of another version.")
            piece = await reader.readexactly(length)
        except (IncompleteReadError, ConnectionError):
            raise BadReport("The command line ended before it had sent the whole report.") from None
        yield piece
