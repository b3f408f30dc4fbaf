"""Checks input objects: refuses null, empty objects and texts that cannot be stored."""

from __future__ import annotations

import re
from typing import Any

from strawberry import UNSET

from sync.errors import BadInput

TEXT_CHARS_MAX = 1_000
# No stored text has these: PostgreSQL refuses both, and LIKE in SQLite stops at a null character.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def set_fields(value: Any, path: str) -> list[tuple[str, Any]]:
    """List the fields that are set in an input object, as (attribute, value).

    Raises:
        BadInput: the object is null or empty.
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
    """Return a text that stored ones may be compared with.

    Raises:
        BadInput: the text is too long, or has characters that no stored text has.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise BadInput(f"{path} has {len(text)} characters; at most {TEXT_CHARS_MAX} are allowed.", path=path)
    if UNSTORABLE.search(text):
        raise BadInput(f"{path} holds a null character or half of a surrogate pair.", path=path)
    return text
