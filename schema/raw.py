"""The JSON that a directory object was received as, for fields that have no column of their own."""

from __future__ import annotations

from typing import Any

from schema.form import Rows, gathered
from schema.relations import received
from schema.scalars import JSON


def received_item() -> Any:
    """Declare the field `raw` of a noun whose key is that of a directory object."""

    @gathered(received, description="The object as it was received from Graph.")
    def raw(rows: Rows) -> JSON | None:
        """Read the received JSON."""
        return JSON(rows[0]["item"]) if rows else None

    return raw
