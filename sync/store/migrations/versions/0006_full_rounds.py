"""The time of a stream's last full round, and requests for full rounds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns with constant defaults: no row is rewritten, however many there are."""
    op.add_column("cursors", sa.Column("checks", sa.Boolean(), nullable=False, server_default=sa.text("0")))
    op.add_column("cursors", sa.Column("full_at", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("full_round_days", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("full", sa.Boolean(), nullable=False, server_default=sa.text("0")))
