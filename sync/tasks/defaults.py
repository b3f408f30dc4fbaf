"""What an operator may change about tasks: defaults and bounds; imports nothing, so that settings load fast."""

FULL_ROUND_DAYS = 7
"""After how many days everything is read again, unless the operator or the task says otherwise."""

FULL_ROUND_DAYS_MAX = 3_650

RUN_RETRIES = 4
"""How often in a row a failed run of a task without a time to come is tried again."""

RUN_RETRIES_MAX = 24
