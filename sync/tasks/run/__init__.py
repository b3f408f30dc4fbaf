"""One run: its states, log, progress and counters; how runs are queued, take turns and are tried again."""
