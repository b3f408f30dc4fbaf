"""Whole runs against the simulated tenant: from a trigger to rows, with and without faults."""
