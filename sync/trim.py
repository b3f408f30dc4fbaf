"""Bytes that are kept take no more memory than they have; holds nothing itself.

orjson writes into a buffer of 4 KiB or several times the text, and its answer holds on to all of that for as long as
it lives. What is sent and forgotten does not matter; what is kept by the thousand, or counted against a limit, does.

Source: github.com/home-assistant/core/pull/181245
"""

from __future__ import annotations


def trimmed(written: bytes) -> bytes:
    """Return a copy that has no more room than it needs; about 0.2 µs for a small one."""
    # The copying constructors give back the same object; joining two never does.
    return b"".join((written, b""))
