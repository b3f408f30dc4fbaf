"""Failures of a connection, raised in place of a whole answer; the transport makes them true.

On a socket that is `serving.py`, in tests without one their transport; both understand the same two exceptions.
"""

from __future__ import annotations


class ConnectionCut(ConnectionResetError):
    """The connection ends before the answer does: by a reset, or in order, as when a server goes away."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("The simulated connection ends here.")
        self.reset = reset


class ConnectionSilent(TimeoutError):
    """Nothing more is sent, and the connection stays open."""
