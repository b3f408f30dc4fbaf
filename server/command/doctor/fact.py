"""The check of the tables of facts: whether somebody has compared them with their sources lately."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from server.command.doctor.finding import Finding, doubtful, well
from sync.inventory.fingerprint.lifecycle import LIFECYCLES
from sync.inventory.fingerprint.windows import WINDOWS

FACTS_LAST = timedelta(days=365)


def check_facts(today: date) -> Iterator[Finding]:
    """Look at the days on which the ends of support were last compared with the makers' pages."""
    days = {table.sources[0]: date.fromisoformat(table.checked) for table in (WINDOWS, *LIFECYCLES)}
    source, oldest = min(days.items(), key=lambda pair: pair[1])
    if today - oldest > FACTS_LAST:
        yield doubtful(
            "facts",
            f"The ends of support were last compared with {source} on {oldest}: newer systems have no end.",
            "Install a newer version, or update the table as docs/assets.md says.",
        )
    else:
        yield well("facts", f"The ends of support were compared with their sources on {oldest} or later.")
