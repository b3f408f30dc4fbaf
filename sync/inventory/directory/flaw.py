"""Faults of received properties; pages count them, and the run logs one warning for each kind."""

from __future__ import annotations

import enum
from collections import Counter


class Flaw(enum.StrEnum):
    """A kind of fault; the value is the code of the warning."""

    WRONG_TYPE = "WRONG_TYPE"
    MISSING = "PROPERTY_MISSING"


Flaws = Counter[tuple[Flaw, str]]
"""(kind of fault, property) → number of records."""
