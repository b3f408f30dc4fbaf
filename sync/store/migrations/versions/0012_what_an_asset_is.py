"""What is derived of an asset: its system, hardware, type, end of support, makers of its network cards.

The columns begin empty; the rows that are there get their values behind the syncs (sync/renewal.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TEXTS = (
    "os_vendor", "os_product", "os_alternative", "os_reason", "os_eol", "os_eol_extended", "hw", "type_reason",
)


def upgrade() -> None:
    """Add columns with constant defaults: no row is rewritten, however many there are."""
    json = sa.JSON(none_as_null=True).with_variant(
        postgresql.JSONB(none_as_null=True, astext_type=Text()), "postgresql"
    )
    for name in _TEXTS:
        op.add_column("assets", sa.Column(name, sa.Text(), nullable=True))
    for name in ("os_eol_is_earliest", "multi_home"):
        op.add_column("assets", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("assets", sa.Column("mac_vendors", json, nullable=False, server_default=sa.text("'[]'")))
