"""The faults of the simulated tenant, one function each; plan.py decides when one happens."""

from __future__ import annotations

from server.simulator.fault import body, connection, event, link, refusal, text
from server.simulator.fault.fault import FAULTS, Fault, find, rows

# Importing a module declares its faults.
FAMILIES = (refusal, connection, body, link, text, event)

__all__ = ["FAMILIES", "FAULTS", "Fault", "find", "rows"]
