"""Cleans received text: replaces NUL and lone surrogates by U+FFFD, and changes nothing else.

PostgreSQL refuses NUL in text, and neither database can encode a lone surrogate: one such display name must not make a
page fail.
"""

from __future__ import annotations

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean_text(text: str) -> str:
    """Return the text with NUL and lone surrogates replaced; the same object if it has none."""
    return _UNSTORABLE.sub(_REPLACEMENT, text) if _UNSTORABLE.search(text) else text


def clean(value: Any) -> Any:
    """Return a JSON value with every string in it cleaned, keys included.

    Raises:
        RecursionError: the value is nested deeper than the interpreter allows.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value
