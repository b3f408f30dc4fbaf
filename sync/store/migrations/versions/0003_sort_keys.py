"""Sort keys of texts, and ids in lower case.

A million assets take about fifteen seconds of one processor. The following start checks the form of the keys and notes
it (sync/store/keys.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Table → its texts with a sort key.
_KEYED = {
    "assets": ("name", "type", "os", "serial"),
    "groups": ("display_name",),
    "users": ("display_name", "user_principal_name"),
}
# Table → its version that has one.
_VERSIONS = {"assets": "os_version", "devices": "operating_system_version"}
_LIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    for table, texts in _KEYED.items():
        for text in texts:
            op.add_column(table, sa.Column(f"{text}_key", sa.Text(), nullable=True))
            op.drop_index(f"ix_{table}_live_{text}", table_name=table)
    op.drop_index("ix_assets_live_os_last_seen", table_name="assets")
    for table, version in _VERSIONS.items():
        op.add_column(table, sa.Column(f"{version}_key", sa.Text(), nullable=True))
    # Fill the columns before creating the indexes: each index is then written once, in its own order.
    if op.get_bind().dialect.name == "sqlite":
        _fill()
        _lower_ids()
    for table, texts in _KEYED.items():
        for text in texts:
            _index(table, text, f"{text}_key", text)
    _index("assets", "os_last_seen", "os_key", "last_seen", "os")
    _index("assets", "os_then_last_seen", "os_key", "os", "last_seen")


def _index(table: str, name: str, *columns: str) -> None:
    keys = ["organization_id", "deleted_at", *columns]
    op.create_index(f"ix_{table}_live_{name}", table, keys, sqlite_where=_LIVE, postgresql_where=_LIVE)


def _fill() -> None:
    """Make the keys; a text with as many bytes as characters is ASCII, which SQLite lowers by itself."""
    for table, texts in _KEYED.items():
        rows = sa.table(table, *(sa.column(name) for text in texts for name in (text, f"{text}_key")))
        values = {f"{text}_key": _key(rows.c[text]) for text in texts}
        op.execute(sa.update(rows).where(sa.or_(*(rows.c[text].is_not(None) for text in texts))).values(values))
    for table, version in _VERSIONS.items():
        rows = sa.table(table, sa.column(version), sa.column(f"{version}_key"))
        key = {f"{version}_key": sa.func.version_key(rows.c[version])}
        op.execute(sa.update(rows).where(rows.c[version].is_not(None)).values(key))


def _key(text: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    is_more = sa.func.length(sa.cast(text, sa.LargeBinary)) > sa.func.length(text)
    return sa.case((is_more, sa.func.sort_key(text)), else_=sa.func.lower(text))


def _lower_ids() -> None:
    """Lower ids, and move the edges of an object with two spellings to one of them."""
    connection = op.get_bind()
    lowered = "UPDATE OR IGNORE objects SET external_id = lower(external_id) WHERE external_id <> lower(external_id)"
    connection.execute(sa.text(lowered))
    twins = connection.execute(
        sa.text(
            "SELECT other.id, one.id FROM objects other JOIN objects one ON one.directory_id = other.directory_id"
            " AND one.external_id = lower(other.external_id) WHERE other.external_id <> lower(other.external_id)"
        )
    ).all()
    for other, one in twins:
        ids = {"other": other, "one": one}
        for move in (
            "INSERT OR IGNORE INTO edges (kind, from_id, to_id, generation)"
            " SELECT kind, :one, to_id, generation FROM edges WHERE from_id = :other",
            "INSERT OR IGNORE INTO edges (kind, from_id, to_id, generation)"
            " SELECT kind, from_id, :one, generation FROM edges WHERE to_id = :other",
        ):
            connection.execute(sa.text(move), ids)
        connection.execute(sa.text("DELETE FROM edges WHERE from_id = :other OR to_id = :other"), {"other": other})
    for table in ("users", "groups", "devices"):
        rows = sa.table(table, sa.column("external_id"), sa.column("device_id"))
        for id_ in ("external_id", *(["device_id"] if table == "devices" else [])):
            lower = sa.func.lower(rows.c[id_])
            op.execute(sa.update(rows).where(rows.c[id_] != lower).values({id_: lower}))
