"""The moves of a run, every pair of them."""

from __future__ import annotations

from itertools import product

import pytest

from sync.errors import IllegalMove
from sync.tasks.run.state import ACTIVE, RunStatus, check_move

ENDED = {RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.STOPPED}
ALLOWED = {
    *((RunStatus.QUEUED, after) for after in (RunStatus.RUNNING, RunStatus.STOPPED)),
    *((RunStatus.RUNNING, after) for after in RunStatus),
    *((RunStatus.NEEDS_CONFIRMATION, after) for after in (RunStatus.QUEUED, RunStatus.STOPPED)),
}


@pytest.mark.parametrize(("before", "after"), list(product(RunStatus, RunStatus)), ids=str)
def test_run_moves_exactly_as_documented(before: RunStatus, after: RunStatus) -> None:
    """Every pair of states is either allowed or raises; nothing leaves an ended run."""
    if (before, after) in ALLOWED:
        check_move(before, after)
    else:
        with pytest.raises(IllegalMove, match=f"{before}.*{after}"):
            check_move(before, after)
    assert before not in ENDED or (before, after) not in ALLOWED


def test_active_states_are_those_an_engine_takes_up() -> None:
    """Queued and running runs are active; ended ones and one that waits for a person are not."""
    assert set(ACTIVE) == set(RunStatus) - ENDED - {RunStatus.NEEDS_CONFIRMATION}
