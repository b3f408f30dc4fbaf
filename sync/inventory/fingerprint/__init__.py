"""Derives what a machine is from what was received: system, hardware, type, end of support, network."""
