"""The progress of one stream of a run: objects done, their total, and the start of this attempt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

# done, total; and the start of this attempt: at `since_ms` (Unix time), with `begun` objects done.
Progress = dict[str, int | None]


def begin(now: datetime, done: int, total: int | None) -> Progress:
    """Start the progress of a stream; an earlier attempt may have done a part of it."""
    return {"done": done, "total": total, "begun": done, "since_ms": int(now.timestamp() * 1000)}


def advance(progress: Progress, seen: int) -> Progress:
    """Add objects, up to the total: large groups repeat on several pages, and Graph's count lags behind."""
    done, total = (progress["done"] or 0) + seen, progress["total"]
    return {**progress, "done": done if total is None else min(done, total)}


def remaining_s(progress: Mapping[str, int | None], updated_at: str) -> float | None:
    """Estimate the remaining time at the pace of this attempt.

    Args:
        progress: the progress of one stream.
        updated_at: when it was last written.

    Returns:
        Seconds; 0 if nothing is left, None if no estimate is possible yet.
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
