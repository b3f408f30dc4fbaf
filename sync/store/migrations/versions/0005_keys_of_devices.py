"""Keys of devices, and the version of the rules by which a directory's devices were last linked.

Both start empty: the next run of a directory links all its devices by the present rules and fills them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the column."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "device_keys",
        sa.Column("site_id", key, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("device_id", key, nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_device_keys_site_id_sites")),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name=op.f("fk_device_keys_device_id_devices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("site_id", "key", "device_id", name=op.f("pk_device_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_device_keys_device_id"), "device_keys", ["device_id"])
    op.add_column("directories", sa.Column("link_rules", sa.Integer(), server_default=sa.text("0"), nullable=False))
