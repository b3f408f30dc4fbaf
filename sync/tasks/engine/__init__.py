"""Executes runs: the engine, the ticker of schedules, and the dependencies of runs."""
