"""Filters: the inputs generated from the registry, the expression each becomes, and its meaning in SQL."""
