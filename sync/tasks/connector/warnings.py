"""Warnings about properties: one log row for each kind of fault, kind of object and property, with a count of records.

The transaction of the page writes the row or increases its count, so that a resumed run counts no record twice. The row
contains no value of a record.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from sync.inventory.directory.flaw import Flaw, Flaws
from sync.inventory.directory.kind import Kind
from sync.store.tables import run_log
from sync.tasks.run.log import Level
from sync.tasks.run.run import Run

_TOLD = {
    Flaw.WRONG_TYPE: (
        "{kind}: {name} had the wrong type in {records}: it is null there, and `raw` shows the received value.",
        "Compare `raw` with the tenant. If they differ, look for a proxy that changes answers of Microsoft Graph.",
    ),
    Flaw.MISSING: (
        "{kind}: {records} came without {name}: the earlier value is kept.",
        "Trigger the task with `full: true`. If the warning comes again, look for a proxy that changes answers of "
        "Microsoft Graph.",
    ),
}


def warn(tx: Connection, run: Run, kind: Kind, flaws: Flaws) -> None:
    """Add the faults of a page to the warnings of its run; their `facts` have `resource`, `property`, `records`."""
    if not flaws:
        return
    mine = select(run_log.c.id, run_log.c.code, run_log.c.facts).where(
        run_log.c.run_id == run.id, run_log.c.code.in_(list(Flaw))
    )
    told = {(row.code, row.facts["resource"], row.facts["property"]): row for row in tx.execute(mine)}
    for (flaw, name), number in sorted(flaws.items()):
        row = told.get((flaw, kind.plural, name))
        number += row.facts["records"] if row else 0
        text, hint = _TOLD[flaw]
        message = text.format(kind=kind.plural, name=name, records="1 record" if number == 1 else f"{number:,} records")
        facts = {"hint": hint, "resource": kind.plural, "property": name, "records": number}
        if row is None:
            run.log(tx, Level.WARNING, message, code=flaw, facts=facts)
        else:
            tx.execute(update(run_log).where(run_log.c.id == row.id).values(message=message, facts=facts))
