import time

import pytest

from gateway.errors import AllKeysCoolingDown, Cut, GatewayError, Refused
from gateway.secret import Secret
from providers.transport.keys import MAX_COOLDOWN, RATE_LIMIT_COOLDOWN, REFUSED_COOLDOWN, KeyRing

A, B, C = Secret("a"), Secret("b"), Secret("c")


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("providers.transport.keys.monotonic", made)
    return made


def refused(status: int, after: float | None = None, *, final: bool = False) -> GatewayError:
    error = Refused("said so", status=status)
    error.retry_after = after
    if final:
        error.should_retry = False
    return error


def test_keys_take_turns(clock: Clock) -> None:
    ring = KeyRing([A, B, C])
    assert [ring.take_key([]) for _ in range(4)] == [A, B, C, A]
    assert len(ring) == 3


def test_a_key_tried_in_this_call_comes_after_the_others(clock: Clock) -> None:
    ring = KeyRing([A, B])
    assert ring.take_key([]) == A
    assert ring.take_key([A]) == B
    assert ring.take_key([A, B]) == A


def test_one_key_may_be_tried_again_as_long_as_it_does_not_rest(clock: Clock) -> None:
    ring = KeyRing([A])
    assert ring.take_key([A]) == A
    ring.record_key_error(A, refused(503))
    ring.record_key_error(A, Cut("gone"))
    assert ring.take_key([A, A]) == A


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (refused(429, 7.5), 7.5),
        (refused(429), RATE_LIMIT_COOLDOWN),
        (refused(429, 1e9), MAX_COOLDOWN),
        (refused(429, final=True), REFUSED_COOLDOWN),
        (refused(401), REFUSED_COOLDOWN),
        (refused(402), REFUSED_COOLDOWN),
        (refused(403), REFUSED_COOLDOWN),
    ],
)
def test_a_limited_or_refused_key_rests(clock: Clock, error: GatewayError, seconds: float) -> None:
    ring = KeyRing([A, B])
    ring.record_key_error(A, error)
    assert [ring.take_key([]) for _ in range(3)] == [B, B, B]
    clock.now += seconds - 0.01
    assert ring.take_key([]) == B
    clock.now += 0.02
    assert {ring.take_key([]), ring.take_key([])} == {A, B}


@pytest.mark.parametrize("status", [400, 404, 408, 409, 413, 500, 502, 503, 529])
def test_other_errors_let_a_key_be(clock: Clock, status: int) -> None:
    ring = KeyRing([A, B])
    ring.record_key_error(A, refused(status, 9))
    assert [ring.take_key([]), ring.take_key([])] == [A, B]


def test_the_upstreams_status_counts_where_the_client_gets_another(clock: Clock) -> None:
    ring = KeyRing([A, B])
    error = refused(502)
    error.upstream_status = 401
    ring.record_key_error(A, error)
    assert ring.take_key([]) == B


def test_when_all_keys_rest_the_soonest_says_when(clock: Clock) -> None:
    ring = KeyRing([A, B])
    ring.record_key_error(A, refused(429, 30))
    ring.record_key_error(B, refused(429, 20))
    with pytest.raises(
        AllKeysCoolingDown, match="all the provider's keys rest after: said so"
    ) as caught:
        ring.take_key([])
    assert caught.value.retry_after == 20
    assert caught.value.status == 429


def test_a_single_key_that_nobody_named_a_rest_for_is_asked_again_in_a_new_call(
    clock: Clock,
) -> None:
    ring = KeyRing([A])
    ring.record_key_error(A, refused(401))
    assert ring.take_key([]) == A
    with pytest.raises(AllKeysCoolingDown, match="the provider's key rests") as caught:
        ring.take_key([A])
    assert caught.value.retry_after is None


def test_a_shorter_rest_does_not_end_a_longer_one(clock: Clock) -> None:
    ring = KeyRing([A, B])
    ring.record_key_error(A, refused(429, 30))
    ring.record_key_error(A, refused(429, 1))
    clock.now += 2
    assert [ring.take_key([]), ring.take_key([])] == [B, B]


def test_the_clock_is_the_monotonic_one() -> None:
    ring = KeyRing([A, B])
    ring.record_key_error(A, refused(429, 0.02))
    assert ring.take_key([]) == B
    time.sleep(0.03)
    assert {ring.take_key([]), ring.take_key([])} == {A, B}
