"""Flaws of received properties; a page counts them, and the run warns of each kind once."""

from __future__ import annotations

import enum
from collections import Counter


class Flaw(enum.StrEnum):
    """A kind of fault; the value is the code of the warning."""

    WRONG_TYPE = "WRONG_TYPE"
    MISSING = "PROPERTY_MISSING"


Flaws = Counter[tuple[Flaw, str]]
"""(what is wrong, the property) → in how many records."""
