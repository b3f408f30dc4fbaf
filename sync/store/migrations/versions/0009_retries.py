"""Automatic retries of failed runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns with constant defaults: no row is rewritten, however many there are."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("tasks", sa.Column("retry_of_id", key, nullable=True))
    op.add_column("runs", sa.Column("retry_number", sa.Integer(), nullable=False, server_default=sa.text("0")))
