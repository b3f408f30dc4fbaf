"""Names of objects that are only ends of edges, if the directory gives them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that may be empty: no row is rewritten, however many there are."""
    op.add_column("objects", sa.Column("display_name", sa.Text(), nullable=True))
