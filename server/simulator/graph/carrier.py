"""Exceptions for failures of a connection, which the transport then produces.

On a socket the transport is `serving.py`; tests without a socket have a transport of their own.
"""

from __future__ import annotations


class ConnectionCut(ConnectionResetError):
    """The connection ends before the answer does: by a reset, or cleanly, as when a server stops."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("The simulated connection ends here.")
        self.reset = reset


class ConnectionSilent(TimeoutError):
    """Nothing more is sent, and the connection stays open."""
