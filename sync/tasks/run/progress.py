"""How far one stream of a run has come: objects done, of how many, and since when this attempt has been at it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

# done, total; and where this attempt began: `begun` objects were done by then, at `since_ms` (of the Unix era).
Progress = dict[str, int | None]


def begin(now: datetime, done: int, total: int | None) -> Progress:
    """Begin to count a stream, of which an earlier attempt may have done a part."""
    return {"done": done, "total": total, "begun": done, "since_ms": int(now.timestamp() * 1000)}


def advance(progress: Progress, seen: int) -> Progress:
    """Count objects; a big group comes on several pages and the count lags: neither may show more than everything."""
    done, total = (progress["done"] or 0) + seen, progress["total"]
    return {**progress, "done": done if total is None else min(done, total)}


def remaining_s(progress: Mapping[str, int | None], updated_at: str) -> float | None:
    """Estimate how long the rest takes at the pace of this attempt.

    Args:
        progress: of one stream.
        updated_at: when it was written last.

    Returns:
        Seconds; 0 when nothing is left, None when that cannot be told yet.
    """
    done, total = progress["done"] or 0, progress["total"]
    begun, since_ms = progress.get("begun"), progress.get("since_ms")
    if total is None:
        return None
    if done >= total:
        return 0.0
    if begun is None or since_ms is None or done <= begun:
        return None
    passed_s = datetime.fromisoformat(updated_at).timestamp() - since_ms / 1000
    return round(max(passed_s, 0.0) * (total - done) / (done - begun), 1)
