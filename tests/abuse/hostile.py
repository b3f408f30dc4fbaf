"""An inventory in which little is asked and much answered: a long line of managers, and one asset of many devices."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench.inventory import Size, build
from sync.inventory.directory.kind import Edge
from sync.runtime import DATABASE_FILE

# How long the line is, how many devices are one asset, and how long the notes in received objects are.
LINE, MERGED, NOTE_CHARS = 60, 3_000, 4_000
SIZE = Size(4_000, 300, 10)


async def build_hostile(data_dir: Path) -> str:
    """Make such an installation and return the text of a token that may read it."""
    token = await build(data_dir, SIZE)
    connection = sqlite3.connect(data_dir / DATABASE_FILE)
    connection.execute("DELETE FROM edges WHERE kind = ?", (Edge.MANAGER,))
    line = [(Edge.MANAGER, user, user + 1) for user in range(1, LINE)]
    connection.executemany("INSERT INTO edges (kind, from_id, to_id, generation) VALUES (?, ?, ?, 1)", line)
    connection.execute(
        "UPDATE devices SET asset_id = 1 WHERE id IN (SELECT id FROM devices ORDER BY id LIMIT ?)", (MERGED,)
    )
    items = [(user, f'{{"note":"{"x" * NOTE_CHARS}"}}') for user in range(1, 1 + SIZE.users)]
    connection.executemany("INSERT INTO raw (object_id, item) VALUES (?, ?)", items)
    connection.commit()
    connection.close()
    return token


def chain(depth: int, fields: str = "id displayName email department") -> str:
    """Return a selection of the line of managers inside itself."""
    return f"managerChain {{ {fields} " * depth + " }" * depth


# Each keeps the cost limit before it runs.
LARGE = {
    "a list in itself": f"users(first: 1) {{ nodes {{ {chain(4)} }} }}",
    "under many names": "users(first: 2) { nodes { "
    + " ".join(f"a{n}: manager {{ {chain(2)} }}" for n in range(20))
    + " } }",
    "the same id": "nodes(ids: [" + '"user_1" ' * 100 + f"]) {{ ... on User {{ raw {chain(2)} }} }}",
    "received objects": " ".join(
        f"a{n}: users(first: 300) {{ nodes {{ raw attributes {{ name value }} }} }}" for n in range(10)
    ),
    "both styles": f"users(first: 1) {{ edges {{ node {{ {chain(3)} }} }} nodes {{ {chain(3)} }} }}",
}
