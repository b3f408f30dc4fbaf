"""Fixtures of the Entra tests: a virtual clock and certificates for loopback."""

from __future__ import annotations

import pytest

from tests.sync.entra.clock import FakeClock
from tests.sync.entra.wire import Certificates, make_certificates


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock whose sleeps cost nothing."""
    return FakeClock()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a certificate authority made for this session."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
