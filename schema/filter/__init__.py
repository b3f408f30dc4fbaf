"""Filters: the inputs generated from the registry, the expression that each becomes, and its SQL."""
