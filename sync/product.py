"""The name of the package and its version."""

from __future__ import annotations

import importlib.metadata

# The name `rollcall` belongs to another project on the package index; only the command is called that.
DISTRIBUTION = "rollcall-inventory"


def version() -> str:
    """Return the version of the installed program."""
    return importlib.metadata.version(DISTRIBUTION)
