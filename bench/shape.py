"""The queries that are measured: as a document for this server, for stock Strawberry, and as one SQL to JSON."""

from __future__ import annotations

from dataclasses import dataclass

ASSET = (
    "id name names type os osVersion manufacturer model serial alive scanned sourceCount firstSeen lastSeen updatedAt"
)
USER = "id displayName userPrincipalName department accountEnabled"
_ASSET_JSON = (
    "json_object('id', 'asset_' || id, 'name', name, 'names', json(names), 'type', type, 'os', os, "
    "'osVersion', os_version, 'manufacturer', manufacturer, 'model', model, 'serial', serial, "
    "'alive', json(iif(alive, 'true', iif(alive IS NULL, 'null', 'false'))), "
    "'scanned', json(iif(scanned, 'true', 'false')), 'sourceCount', source_count, 'firstSeen', first_seen, "
    "'lastSeen', last_seen, 'updatedAt', updated_at)"
)
_LIVE = "organization_id = 1 AND deleted_at IS NULL"


def _assets(first: int) -> str:
    return (
        "SELECT json_object('data', json_object('assets', json_object('nodes', json_group_array(json(node))))) FROM "  # noqa: S608
        f"(SELECT {_ASSET_JSON} AS node FROM assets WHERE {_LIVE} ORDER BY id LIMIT {first})"
    )


_GROUPS = f"""
SELECT json_object('data', json_object('groups', json_object('nodes', json_group_array(json(node))))) FROM (
  SELECT json_object('id', 'group_' || g.id, 'displayName', g.display_name, 'users', json_object('nodes', json((
    SELECT json_group_array(json(member)) FROM (
      SELECT json_object('id', 'user_' || u.id, 'displayName', u.display_name,
        'userPrincipalName', u.user_principal_name, 'department', u.department,
        'accountEnabled', json(iif(u.account_enabled, 'true', 'false'))) AS member
      FROM edges e JOIN users u ON u.id = e.to_id
      WHERE e.kind = 1 AND e.from_id = g.id AND u.deleted_at IS NULL ORDER BY e.to_id LIMIT 20))))) AS node
  FROM groups g WHERE g.{_LIVE.replace("AND ", "AND g.")} ORDER BY g.id LIMIT 100)
"""  # noqa: S608
_FILTER = f"""
SELECT json_object('data', json_object('assets', json_object(
  'totalCount', (SELECT count(*) FROM assets WHERE {_LIVE} AND os = 'Windows'), 'nodes', (
    SELECT json_group_array(json(node)) FROM (SELECT {_ASSET_JSON} AS node FROM assets
    WHERE {_LIVE} AND os = 'Windows' ORDER BY name, id LIMIT 50)))))
"""  # noqa: S608


@dataclass(frozen=True)
class Shape:
    """One query, three times."""

    title: str
    ours: str
    stock: str
    sql: str


SHAPES = {
    "page": Shape(
        "50 assets x 15 fields",
        f"{{ assets(first: 50) {{ nodes {{ {ASSET} }} }} }}",
        f"{{ assets(first: 50) {{ nodes {{ {ASSET} }} }} }}",
        _assets(50),
    ),
    "thousand": Shape(
        "1000 assets x 15 fields",
        f"{{ assets(first: 1000) {{ nodes {{ {ASSET} }} }} }}",
        f"{{ assets(first: 1000) {{ nodes {{ {ASSET} }} }} }}",
        _assets(1000),
    ),
    "groups": Shape(
        "100 groups x 20 users x 5 fields",
        f"{{ groups(first: 100) {{ nodes {{ id displayName users(first: 20) {{ nodes {{ {USER} }} }} }} }} }}",
        f"{{ groups(first: 100) {{ nodes {{ id displayName users(first: 20) {{ nodes {{ {USER} }} }} }} }} }}",
        _GROUPS,
    ),
    "filter": Shape(
        "filter, order, count, 50 assets x 15",
        '{ assets(first: 50, where: {os: {eq: "Windows"}}, orderBy: [{field: NAME}]) '
        f"{{ totalCount nodes {{ {ASSET} }} }} }}",
        f'{{ assets(first: 50, os: "Windows") {{ totalCount nodes {{ {ASSET} }} }} }}',
        _FILTER,
    ),
}
