"""A Microsoft Graph and Entra sign-in look-alike for demos, tests and front-end work; never talks to Microsoft."""

from __future__ import annotations

from server.simulator.asked import Faults
from server.simulator.fault.plan import FaultPlan, Rule, read_plan
from server.simulator.request_log import RequestLog
from server.simulator.serving import RunningSimulator, running, serve
from server.simulator.signin.credential import AppCredential
from server.simulator.simulator import Simulator
from server.simulator.tenant.directory import TenantDirectory

__all__ = [
    "AppCredential",
    "FaultPlan",
    "Faults",
    "RequestLog",
    "Rule",
    "RunningSimulator",
    "Simulator",
    "TenantDirectory",
    "read_plan",
    "running",
    "serve",
]
