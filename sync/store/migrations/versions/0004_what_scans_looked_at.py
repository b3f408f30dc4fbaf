"""Which run a queued one waits for.

A column that may be missing: nothing is rewritten, so that it takes no time on large inventories.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("runs", sa.Column("waits_for_id", whole, nullable=True))
