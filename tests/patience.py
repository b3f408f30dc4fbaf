"""How long a test waits for what must come: long enough for a machine that other programs keep busy."""

from __future__ import annotations

PATIENCE_S = 120
"""Ends a test that hangs. It says nothing of how fast the program is: `make bench` measures that."""
