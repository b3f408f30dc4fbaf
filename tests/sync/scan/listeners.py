"""Real listening sockets on addresses of this machine's loopback network, on ports that the kernel chooses."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager


@contextmanager
def listening(*addresses: str) -> Iterator[list[int]]:
    """Listen on one port of each address; yields the ports, all of them free on every other of the addresses."""
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for address in addresses:
            sock = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
            sock.bind((address, 0))
            sock.listen(64)
            sockets.append(sock)
        ports = [int(sock.getsockname()[1]) for sock in sockets]
        assert len(set(ports)) == len(ports)
        yield ports


def as_ports(ports: Sequence[int]) -> str:
    """Write ports as a task takes them."""
    return ",".join(str(port) for port in ports)
