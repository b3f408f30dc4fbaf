"""The name of the package and its version."""

from __future__ import annotations

import importlib.metadata

# On the package index the name `rollcall` belongs to another project; only the command has that name.
DISTRIBUTION = "rollcall-inventory"


def version() -> str:
    """Return the version of the installed program."""
    return importlib.metadata.version(DISTRIBUTION)
