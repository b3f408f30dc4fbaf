"""Scanned ports and their times, details of scans, hosts that a scan gave up on, the run that a queued run waits for.

Nullable columns only: no row is rewritten, so that it takes no time on large inventories. A service without a time was
checked when its record was last seen; readers handle that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table."""
    json = sa.JSON(none_as_null=True).with_variant(
        postgresql.JSONB(none_as_null=True, astext_type=Text()), "postgresql"
    )
    op.create_table(
        "port_sets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ranges", json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_port_sets")),
    )
    op.add_column("scan_records", sa.Column("looked", json, nullable=True))
    op.add_column("scan_records", sa.Column("silent_at", sa.Text(), nullable=True))
    op.add_column("scan_records", sa.Column("detail", json, nullable=True))
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("runs", sa.Column("waits_for_id", whole, nullable=True))
    op.add_column("scan_marks", sa.Column("unfinished", json, nullable=True))
