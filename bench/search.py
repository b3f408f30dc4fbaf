"""What it takes to read search texts: in this process, in processor time, each text anew."""

from __future__ import annotations

import time

from schema import build_schema
from schema.search import read_search

ROUNDS = 200
TERMS = (
    "os:windows", "last_seen:>90days", "owner.department:Sales", "port:22,80", 'name:="web-%"', "NOT has:owner",
    "@azuread.dev.trustType:ServerAd", "os_version:<10.0.19045", "net:10.0.0.0/8", "web",
)  # fmt: skip
HEADER = "| terms | characters | to an expression, ms |\n|---|---|---|"


def search_table() -> str:
    """Measure texts of 1, 10, 50 and 150 terms, the mean of many readings."""
    build_schema()
    return "\n".join((HEADER, *map(_row, (1, 10, 50, 150))))


def _row(terms: int) -> str:
    text = " ".join(TERMS[number % len(TERMS)] for number in range(terms))
    read_search("Asset", text)
    begun = time.process_time()
    for _ in range(ROUNDS):
        read_search.cache_clear()
        read_search("Asset", text)
    took_ms = (time.process_time() - begun) * 1_000 / ROUNDS
    return f"| {terms} | {len(text)} | {took_ms:.2f} |"
