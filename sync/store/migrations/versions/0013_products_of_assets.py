"""The products of an asset's services, which free words of a search look at.

The column begins empty; the rows that are there get their values behind the syncs (sync/renewal.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column with a constant default: no row is rewritten, however many there are."""
    json = sa.JSON(none_as_null=True).with_variant(
        postgresql.JSONB(none_as_null=True, astext_type=Text()), "postgresql"
    )
    op.add_column("assets", sa.Column("products", json, nullable=False, server_default=sa.text("'[]'")))
