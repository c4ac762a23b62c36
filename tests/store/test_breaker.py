"""The breaker before a remote store."""

import pytest
import structlog

from gateway.store.breaker import FAILURES, PAUSE, Breaker


class Clock:
    """A time that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_breaker_opens_after_failures_in_a_row_and_says_so_once(clock: Clock) -> None:
    breaker = Breaker("store", "host:1", clock)
    with structlog.testing.capture_logs() as lines:
        for _ in range(FAILURES - 1):
            breaker.failed("TimeoutError")
        breaker.succeeded()
        for _ in range(FAILURES):
            assert not breaker.open
            breaker.failed("TimeoutError")
        assert breaker.open
        breaker.failed("TimeoutError")
    down = {"event": "store_down", "store": "host:1", "kind": "TimeoutError"}
    assert lines == [down | {"log_level": "warning"}]


def test_an_open_breaker_lets_one_try_through_at_a_time(clock: Clock) -> None:
    breaker = Breaker("store", "host:1", clock)
    for _ in range(FAILURES):
        breaker.failed("OSError")
    assert not breaker.due()
    clock.now = PAUSE
    assert [breaker.due(), breaker.due()] == [True, False]
    clock.now = 2 * PAUSE
    with structlog.testing.capture_logs() as lines:
        assert breaker.due()
        breaker.succeeded()
        breaker.succeeded()
    assert not breaker.open
    assert lines == [{"event": "store_up", "store": "host:1", "log_level": "info"}]
