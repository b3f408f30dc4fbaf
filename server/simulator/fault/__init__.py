"""The faults that the simulated tenant can be given, one declaration each; nothing here decides when one happens."""

from __future__ import annotations

from server.simulator.fault import body, connection, event, link, refusal, text
from server.simulator.fault.fault import FAULTS, Fault, find, rows

# Reading a module declares its faults.
FAMILIES = (refusal, connection, body, link, text, event)

__all__ = ["FAMILIES", "FAULTS", "Fault", "find", "rows"]
