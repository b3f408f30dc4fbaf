"""Trims the memory of bytes that are kept.

orjson writes into a buffer of 4 KiB or several times the text, and its result keeps that whole buffer. Trim bytes that
are kept by the thousand or counted against a limit; bytes that are sent and dropped need no trimming.

Source: github.com/home-assistant/core/pull/181245
"""

from __future__ import annotations


def trimmed(written: bytes) -> bytes:
    """Return a copy without spare memory; about 0.2 µs for a small text."""
    # `bytes(written)` returns the same object; `join` with two parts always copies.
    return b"".join((written, b""))
