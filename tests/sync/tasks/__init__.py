"""Tests of tasks, runs and the engine."""
