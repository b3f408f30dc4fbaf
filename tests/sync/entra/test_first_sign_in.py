"""The sign-in that a run begins with: what may mend itself is waited out, what is final is not."""

from __future__ import annotations

import pytest

from sync.entra.signin.token import StaticToken
from sync.errors import BadResponse, EntraError, OffOrigin, SignInFailed, Throttled, Unavailable
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.graph import TOKEN, Reply, ScriptedGraph, client_of


def signing_in(*outcomes: EntraError | str) -> StaticToken:
    """Return a sign-in service that answers with these, one after the other."""
    left = list(outcomes)

    def issue() -> str:
        outcome = left.pop(0)
        if isinstance(outcome, EntraError):
            raise outcome
        return outcome

    return StaticToken(issue)


async def test_first_sign_in_is_tried_again_when_the_service_is_unavailable(clock: FakeClock) -> None:
    """A 503, a 429 and an answer that is not one are waited out as for any request; Retry-After counts."""
    tokens = signing_in(Unavailable(retry_after_s=17.0), Throttled(retry_after_s=7.0), BadResponse(), TOKEN)
    async with client_of(ScriptedGraph(Reply()), clock=clock, tokens=tokens) as client:
        await client.sign_in()
        await client.get("/users")
    assert clock.slept[0] >= 17 and sum(clock.slept) >= 24


@pytest.mark.parametrize("error", [SignInFailed(), OffOrigin(), Throttled(retry_after_s=3_600.0)], ids=lambda e: e.code)
async def test_first_sign_in_is_not_tried_again_when_the_answer_is_final(clock: FakeClock, error: EntraError) -> None:
    """A refusal stays one; a wait longer than a run may hold is told to whoever puts the run off."""
    async with client_of(ScriptedGraph(), clock=clock, tokens=signing_in(error, TOKEN)) as client:
        with pytest.raises(type(error)):
            await client.sign_in()
    assert clock.slept == []


async def test_first_sign_in_is_given_up_when_the_service_stays_away(clock: FakeClock) -> None:
    """Six tries, then the error that says so."""
    async with client_of(ScriptedGraph(), clock=clock, tokens=signing_in(*[Unavailable()] * 6)) as client:
        with pytest.raises(Unavailable):
            await client.sign_in()
    assert len(clock.slept) == 5
