"""Which rows a caller may see: every noun says it, none by default, and no rule is "all of them" for an organization.

`Noun.scope` is added to every read. A row without the id of an organization is seen through the row that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, ColumnElement, Table, select

from schema.access import Principal

Scope = Callable[[Principal], ColumnElement[bool]]


def own(table: Table) -> Scope:
    """Return the scope of rows that carry the id of their organization."""
    return lambda principal: table.c.organization_id == principal.organization_id


def through(key: Column[int], owner: Table) -> Scope:
    """Return the scope of rows that belong to a row of an organization.

    Args:
        key: of the rows: the key of the row that they belong to.
        owner: its table, which carries the id of the organization.
    """
    # Under a name of its own: a statement that reads the owner too must not be taken for this one.
    its = owner.alias(f"{owner.name}_of_{key.table.name}")
    holds = select(its.c.id).where(its.c.id == key).correlate(key.table)
    return lambda principal: holds.where(its.c.organization_id == principal.organization_id).exists()
