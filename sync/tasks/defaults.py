"""Defaults and limits of the settings for tasks; imports nothing, so that settings load fast."""

FULL_ROUND_DAYS = 7
"""Days between full rounds, unless the operator or the task sets another number."""

FULL_ROUND_DAYS_MAX = 3_650

RUN_RETRIES = 4
"""Automatic retries in a row of a failed run, for tasks without a scheduled next time."""

RUN_RETRIES_MAX = 24
