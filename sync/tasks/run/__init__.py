"""Runs: their states, log, progress and counters; the queue, taking turns, and retries."""
