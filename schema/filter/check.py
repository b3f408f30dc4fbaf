"""Checks of input objects: no null, nothing empty, no text that cannot be stored."""

from __future__ import annotations

import re
from typing import Any

from strawberry import UNSET

from sync.errors import BadInput

TEXT_CHARS_MAX = 1_000
# No stored text holds these: PostgreSQL refuses both, and LIKE of SQLite ends at a null character.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def given(value: Any, path: str) -> list[tuple[str, Any]]:
    """List what an input object holds, by attribute.

    Raises:
        BadInput: it is null or empty.
    """
    if value is None:
        raise null(path)
    found = [(name, inner) for name, inner in vars(value).items() if inner is not UNSET]
    if not found:
        raise BadInput(f"{path} is empty.", hint="Leave it out, or give it a condition.", path=path)
    return found


def null(path: str) -> BadInput:
    """Make the error of an explicit null."""
    return BadInput(f"{path} is null.", hint="Leave it out, or use isNull to ask for missing values.", path=path)


def check_text(text: str, path: str) -> str:
    """Return a text to compare stored ones with.

    Raises:
        BadInput: it is too long, or holds characters that no stored text has.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise BadInput(f"{path} has {len(text)} characters; at most {TEXT_CHARS_MAX} are allowed.", path=path)
    if UNSTORABLE.search(text):
        raise BadInput(f"{path} holds a null character or half of a surrogate pair.", path=path)
    return text
