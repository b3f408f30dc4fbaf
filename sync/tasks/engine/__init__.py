"""Executes runs: the engine, the ticker of schedules, and what each run works with."""
