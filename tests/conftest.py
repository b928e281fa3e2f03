"""Fixtures every test may use: real servers, and an environment without our own variables."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from support import recorded_data
from support.servers import RunningNats, RunningPostgres, running_nats, running_postgres

# How fast a busy machine is must not decide a test.
settings.register_profile("gridkeeper", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gridkeeper")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much the system tests go through: recorded candles, and scenarios of faults."""
    parser.addoption("--recorded-days", type=float, default=1.5, help="days of recorded candles; 0: all there are")
    parser.addoption("--fault-scenarios", type=int, default=1, help="scenarios of faults over real processes")
    parser.addoption("--random-systems", type=int, default=1, help="systems of four grids drawn by chance")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every seed that is asked for is a test of its own."""
    if "random_system" in metafunc.fixturenames:
        metafunc.parametrize("random_system", range(1, 1 + metafunc.config.getoption("--random-systems")))


@pytest.fixture(autouse=True, scope="session")
def _environment_without_our_variables() -> Iterator[None]:
    """What a developer has set at his desk must not decide a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GRIDKEEPER_") and name != recorded_data.VARIABLE]:
            patch.delenv(name)
        yield


@pytest.fixture
def nats_server() -> Iterator[RunningNats]:
    """A fresh nats-server of this test's own: `.url`, `.kill()`, `.restart()`, `.stop()`."""
    with running_nats() as running:
        yield running


@pytest.fixture
def nats_url(nats_server: RunningNats) -> str:
    """URL, with user and password, of this test's own nats-server."""
    return nats_server.url


@pytest.fixture
def postgres_server() -> Iterator[RunningPostgres]:
    """A PostgreSQL server of this test's own, for tests that kill it; others take `postgres_url`."""
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def session_postgres() -> Iterator[RunningPostgres]:
    """The PostgreSQL server all tests of this process share."""
    with running_postgres() as running:
        yield running


@pytest.fixture
def postgres_url(session_postgres: RunningPostgres) -> Iterator[str]:
    """URL of a fresh, empty database on the shared server."""
    name = session_postgres.new_database()
    yield session_postgres.server.database_url(name)
    session_postgres.drop_database(name)
