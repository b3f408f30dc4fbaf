"""Faults of the connection: cuts, silence, slow bodies and endless bodies."""

from __future__ import annotations

import gzip
from functools import cache

from server.simulator.fault.fault import fault
from server.simulator.graph.reply import GraphReply, cut, endless, silent, trickle

BOMB_BYTES = 64 * 1024 * 1024
CUTS = {"before-headers": "headers", "mid-body": "body"}


@fault("G3", CUTS)
def reset(reply: GraphReply, value: str) -> None:
    """The connection is reset, before the headers or in the middle of the body."""
    reply.send_as = cut(before_headers=value == "headers", reset=True)


@fault("G3", CUTS)
def closed(reply: GraphReply, value: str) -> None:
    """The connection is closed cleanly, but before the headers or in the middle of the body."""
    reply.send_as = cut(before_headers=value == "headers", reset=False)


@fault("G6, G8", {"before-headers": "headers", "after-headers": "body"})
def silence(reply: GraphReply, value: str) -> None:
    """The server sends nothing more, before or after the headers, and the connection stays open."""
    reply.send_as = silent(before_headers=value == "headers")


@fault("G8")
def slow_body(reply: GraphReply, value: str) -> None:
    """The body comes at one byte a second; after ten minutes the connection is closed."""
    reply.send_as = trickle


@fault("G8")
def endless_body(reply: GraphReply, value: str) -> None:
    """The body does not end; after 256 MiB the connection is closed."""
    reply.send_as = endless


@fault("G8")
def gzip_bomb(reply: GraphReply, value: str) -> None:
    """A compressed body that decompresses to 64 MiB, a thousand times its size."""
    reply.headers["content-encoding"] = "gzip"
    reply.body = _bomb()


@cache
def _bomb() -> bytes:
    return gzip.compress(b'{"value":[' + b" " * BOMB_BYTES + b"]}", 9, mtime=0)
