"""Checks cron expressions, and tells which field is wrong and which values it takes."""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from sync.errors import BadInput

CRON_CHARS_MAX = 100
FORM = "Such as `30 2 * * MON-FRI`: minute, hour, day of the month, month, day of the week."
# The fields: name, and possible values.
FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last one"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of the week", "0 to 7 (0 and 7 are Sunday), or SUN to SAT"),
)
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def check_cron(expression: str) -> None:
    """Refuse an invalid cron expression.

    Raises:
        BadInput: the message names the field, the hint its possible values.
    """
    given = expression.split()
    if len(expression) > CRON_CHARS_MAX:
        raise _bad(f"A cron expression has at most {CRON_CHARS_MAX} characters.", FORM)
    if len(given) == 1 and given[0].startswith("@"):
        meant = MACROS.get(given[0].lower())
        raise _bad("Cron words with @ are not supported.", f"Write `{meant}`." if meant else FORM)
    if len(given) != len(FIELDS):
        seconds = " If the first field is seconds, remove it." if len(given) == len(FIELDS) + 1 else ""
        raise _bad(f"A cron expression has five fields; this one has {len(given)}.", FORM + seconds)
    for number, (field, (name, fits)) in enumerate(zip(given, FIELDS, strict=True)):
        # Test each field with `*` in all others, to know which field is invalid.
        if not _is_read(["*"] * number + [field] + ["*"] * (len(FIELDS) - number - 1)):
            hint = f"Values are {fits}; `*` is every one, `1,3` a list, `1-5` a range, `*/15` a step."
            raise _bad(f"The {name}, field {number + 1} of the cron expression, cannot be read.", hint)
    if not _is_read(given):
        raise _bad("The cron expression names a day that no month in it has.", "Such as `0 6 L 2 *` for the last day.")


def _is_read(fields: list[str]) -> bool:
    try:
        CronSim(" ".join(fields), datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def _bad(message: str, hint: str) -> BadInput:
    return BadInput(message, hint=hint, path="cron")
