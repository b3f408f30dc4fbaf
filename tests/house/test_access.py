"""What the documents say of access is what the table holds."""

from __future__ import annotations

from schema.access import access_table
from tests.house.source import read


def test_access_in_the_documents_is_the_table() -> None:
    """docs/access.md cannot fall behind the code."""
    text = read("docs/access.md")
    start = text.index("-->", text.index("<!-- access:")) + len("-->\n")
    assert text[start : text.index("<!-- end of access -->")] == access_table()
