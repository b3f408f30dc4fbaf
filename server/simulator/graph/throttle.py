"""Throttling like that of the identity service: a bucket of resource units for each app and tenant.

Source: learn.microsoft.com/graph/throttling-limits (identity and access), learn.microsoft.com/graph/throttling
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from server.simulator.tenant.directory import TenantDirectory
from server.simulator.variant import Variants
from sync.clock import Clock

WINDOW_S = 10
# Least number of users in the tenant → resource units that an app may use in ten seconds.
TIERS = ((500, 8_000), (50, 5_000), (0, 3_500))
WARNED_FROM = 0.8  # answers tell the used share of the quota from this share on
DEMAND_MAX = 1.8  # demand beyond this share of the quota is not counted
LOW_PRIORITY_SHARE = 0.9  # share of the quota; our choice: Microsoft says only that low priority is throttled first


@dataclass(slots=True)
class Bucket:
    """The used quota of one app."""

    used: float = 0.0
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to refuse a request with 429, and the headers of its answer."""

    refused: bool = False
    headers: dict[str, str] = field(default_factory=dict)


class Throttle:
    """The quotas of one tenant."""

    def __init__(self, directory: TenantDirectory, clock: Clock, variants: Variants) -> None:
        self._directory = directory
        self._clock = clock
        self._variants = variants
        self._buckets: dict[str, Bucket] = {}

    @property
    def limit(self) -> float:
        """Return the resource units that an app may use in ten seconds."""
        users = self._directory.count("users")
        return next(units for least, units in TIERS if users >= least) * self._variants.quota

    def charge(self, client_id: str, units: int, *, low: bool) -> Verdict:
        """Count one request, and refuse it if the quota is used up; refused requests count, too.

        Args:
            client_id: the app.
            units: the request's cost; a request without cost is never refused.
            low: whether the request has `x-ms-throttle-priority: low`.
        """
        limit, now_s = self.limit, self._clock.monotonic()
        if not limit or not units:
            return Verdict()
        bucket = self._buckets.setdefault(client_id, Bucket(at_s=now_s))
        rate = limit / WINDOW_S
        before = max(bucket.used - (now_s - bucket.at_s) * rate, 0.0)
        allowed = limit * (LOW_PRIORITY_SHARE if low else 1.0)
        bucket.used, bucket.at_s = min(before + units, max(limit * DEMAND_MAX, units)), now_s
        share = bucket.used / limit
        headers = {"x-ms-throttle-limit-percentage": f"{share:.2f}"} if share >= WARNED_FROM else {}
        if not before or before + units <= allowed:
            return Verdict(headers=headers)
        # After this time the same request passes, if the app sends no others.
        wait_s = (bucket.used + units - max(allowed, units)) / rate
        headers["Retry-After"] = str(max(math.ceil(wait_s), 1))
        tenant_id = self._directory.population.tenant_id
        headers["x-ms-throttle-scope"] = f"Tenant_Application/ReadWrite/{client_id}/{tenant_id}"
        headers["x-ms-throttle-information"] = "ResourceUnitLimitExceeded"
        return Verdict(True, headers)
