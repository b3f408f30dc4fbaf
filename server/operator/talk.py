"""The traffic of a running command: bytes go one way, its progress comes back."""

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
    """One command's conversation.

    Args:
        pieces: what the command is fed with.
        tell: takes how far it has come, as often as it likes.
    """

    pieces: AsyncIterator[bytes]
    tell: Callable[[Progress], None]


async def nothing() -> AsyncIterator[bytes]:
    """Yield no piece."""
    for piece in tuple[bytes, ...]():
        yield piece


async def send_pieces(writer: StreamWriter, pieces: AsyncIterator[bytes]) -> None:
    """Send pieces, each behind its length; an empty one says that it was the last."""
    async for piece in pieces:
        for begin in range(0, len(piece), PIECE_BYTES):
            part = piece[begin : begin + PIECE_BYTES]
            writer.write(len(part).to_bytes(_LENGTH_BYTES, "big") + part)
            await writer.drain()
    writer.write(bytes(_LENGTH_BYTES))
    await writer.drain()


async def read_pieces(reader: StreamReader) -> AsyncIterator[bytes]:
    """Yield what `send_pieces` sent.

    Raises:
        BadReport: the sender went away before it was done.
    """
    while True:
        try:
            length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
            if not length:
                return
            if length > PIECE_BYTES:
                raise BadReport("What is sent is no report in pieces.", hint="The server may be of another version.")
            piece = await reader.readexactly(length)
        except (IncompleteReadError, ConnectionError):
            raise BadReport("The command line ended before it had sent the whole report.") from None
        yield piece
