"""Checks that the clouds in use can be reached, and that this machine's clock agrees with theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from server.command.doctor.finding import Finding, doubtful, well, wrong
from sync.clock import Clock
from sync.entra.cloud import Cloud, Endpoints, endpoints
from sync.entra.outbound import DIRECT, Outbound
from sync.entra.reach import Reach, reach
from sync.errors import BadInput, BadSettings

SKEW_S_DOUBTFUL, SKEW_S_WRONG = 30, 300


async def check_clouds(
    clouds: Iterable[str], custom: Endpoints | None, clock: Clock, outbound: Outbound = DIRECT
) -> list[Finding]:
    """Connect to the sign-in and Graph hosts of the clouds; no credential is sent."""
    found: list[Finding] = []
    asked: dict[str, Endpoints] = {}
    for cloud in clouds:
        try:
            where = endpoints(Cloud(cloud), custom)
        except BadInput as error:
            found.append(wrong("connection", f"Credentials of the cloud {cloud}: {error.message}", error.hint or ""))
            continue
        asked |= {where.authority: where, where.graph: where}
    try:
        ways = (reach(origin, where.ca_file, clock, outbound) for origin, where in asked.items())
        reached = await asyncio.gather(*ways)
    except BadSettings as error:
        return [*found, wrong("connection", error.message, error.hint or "")]
    found += [_connection(origin, one) for origin, one in zip(asked, reached, strict=True)]
    if not asked and not found:
        found.append(well("connection", "No credential is stored yet, so there is no cloud to reach."))
    return [*found, *_clock(reached)]


def _connection(origin: str, reached: Reach) -> Finding:
    if reached.problem is None:
        return well("connection", f"{origin} answers.")
    return wrong(
        "connection",
        f"{origin} cannot be reached: {reached.problem.reason}.",
        reached.problem.hint,
    )


def _clock(reached: Iterable[Reach]) -> Iterator[Finding]:
    skews = [one.skew_s for one in reached if one.skew_s is not None]
    if not skews:
        return
    skew_s = min(skews, key=abs)
    told = f"This machine's clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the cloud's."
    if abs(skew_s) > SKEW_S_WRONG:
        yield wrong("clock", told, "Set the clock and synchronise it by NTP: sign-ins fail with a clock this wrong.")
    elif abs(skew_s) > SKEW_S_DOUBTFUL:
        yield doubtful("clock", told, "Synchronise the clock by NTP.")
    else:
        yield well("clock", "This machine's clock agrees with the cloud's.")
