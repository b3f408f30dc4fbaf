"""Measurements: each table is printed by one run, so that its figures can be compared with each other."""
