import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from gateway.call import Call, Target
from gateway.dialects.chat import CHAT
from gateway.errors import (
    AllKeysCoolingDown,
    GatewayError,
    InvalidRequest,
    Refused,
    Unreachable,
    UpstreamTimeout,
)
from gateway.reply import BytesSource, Reply, Stream
from middleware.fallback import Fallback
from tests.fakes import calls

A, B = calls.make_target("a"), calls.make_target("b")


def refused(status: int, retry_after: float | None = None) -> Reply:
    error = Refused("no", status=status)
    error.retry_after = retry_after
    return calls.make_error_reply(status, error)


async def run(
    outcomes: Sequence[Reply | Exception], *targets: Target, **options: float
) -> tuple[Reply | GatewayError, list[str], Call]:
    """What came of it, the targets asked in order, and the call."""
    asked: list[str] = []
    script = list(outcomes)

    async def next(call: Call) -> Reply:
        assert call.target is not None
        asked.append(call.target.provider)
        outcome = script.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    call = calls.make_call(targets=targets or (A,))
    fallback = Fallback(**{"wait": 0.0, **options})  # type: ignore[arg-type]
    try:
        return await fallback(call, next), asked, call
    except GatewayError as error:
        return error, asked, call


async def test_an_answer_is_passed_on_at_once() -> None:
    answer = calls.make_reply()
    reply, asked, call = await run([answer])
    assert reply is answer
    assert asked == ["a"]
    assert [attempt.outcome for attempt in call.record.attempts] == ["ok"]


@pytest.mark.parametrize("status", [400, 404, 405, 413, 422])
async def test_what_would_fail_again_is_not_tried_again(status: int) -> None:
    first = refused(status)
    reply, asked, _ = await run([first], A, B)
    assert reply is first
    assert asked == ["a"]


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
async def test_a_passing_fault_goes_to_the_next_target(status: int) -> None:
    answer = calls.make_reply()
    reply, asked, _ = await run([refused(status), answer], A, B)
    assert reply is answer
    assert asked == ["a", "b"]


async def test_the_last_target_is_tried_again_within_the_budget() -> None:
    last = refused(500)
    reply, asked, _ = await run([refused(500), refused(502), last])
    assert reply is last
    assert asked == ["a", "a", "a"]
    assert last.error is not None
    assert last.error.should_retry is False  # the SDK's own retries would multiply ours


async def test_one_attempt_says_nothing_of_retries() -> None:
    last = refused(500)
    reply, _, _ = await run([last], attempts=1)
    assert reply is last
    assert last.error is not None
    assert last.error.should_retry is None


async def test_one_budget_covers_all_targets() -> None:
    _, asked, _ = await run(
        [refused(500)] * 9, A, B, calls.make_target("c"), calls.make_target("d")
    )
    assert asked == ["a", "b", "c"]


async def test_a_key_bound_fault_takes_the_providers_next_key() -> None:
    answer = calls.make_reply()
    reply, asked, _ = await run([refused(429), refused(401), answer], A, B)
    assert reply is answer
    assert asked == ["a", "a", "a"]


async def test_with_no_key_left_the_next_target_is_asked_and_resting_costs_nothing() -> None:
    answer = calls.make_reply()
    reply, asked, call = await run(
        [refused(429), AllKeysCoolingDown("rests"), answer], A, B, attempts=2
    )
    assert reply is answer
    assert asked == ["a", "a", "b"]
    assert len(call.record.attempts) == 2


async def test_when_all_fail_the_last_real_error_is_told() -> None:
    real = refused(429, 7.0)
    reply, _, _ = await run([real, AllKeysCoolingDown("rests")])
    assert reply is real


class ErrorStreamSource(BytesSource):
    """An upstream's stream that tells an error, and whether it was let go of."""

    closed = False

    async def aclose(self) -> None:
        self.closed = True


def failing(source: ErrorStreamSource, status: int = 503) -> Reply:
    return Reply(200, CHAT, Stream(source), [], Refused("no", status=status))


async def test_a_stream_that_another_try_outdoes_is_closed() -> None:
    one, two, answer = ErrorStreamSource(b"1"), ErrorStreamSource(b"2"), calls.make_reply()
    reply, _, _ = await run([failing(one), failing(two), answer])
    assert reply is answer
    assert (one.closed, two.closed) == (True, True)


async def test_the_last_stream_that_tells_an_error_is_the_answer() -> None:
    one, two = ErrorStreamSource(b"1"), ErrorStreamSource(b"2")
    last = failing(two)
    reply, _, _ = await run([failing(one), last], attempts=2)
    assert reply is last
    assert (one.closed, two.closed) == (True, False)
    await last.aclose()


async def test_a_stream_is_closed_where_a_fault_follows_it() -> None:
    one, fault = ErrorStreamSource(b"1"), InvalidRequest("not said by an upstream")
    reply, _, _ = await run([failing(one), fault])
    assert reply is fault
    assert one.closed


async def test_only_resting_keys_are_told_as_such() -> None:
    resting = AllKeysCoolingDown("rests")
    reply, _, call = await run([resting])
    assert reply is resting
    assert call.record.attempts == []


async def test_a_timeout_is_not_repeated_at_the_same_target() -> None:
    slow = UpstreamTimeout("first_byte", 1)
    reply, asked, _ = await run([slow])
    assert reply is slow
    assert asked == ["a"]
    answer = calls.make_reply()
    reply, asked, _ = await run([UpstreamTimeout("first_byte", 1), answer], A, B)
    assert reply is answer


async def test_no_connection_is_tried_again() -> None:
    answer = calls.make_reply()
    reply, asked, _ = await run([Unreachable("down"), answer])
    assert reply is answer
    assert asked == ["a", "a"]


async def test_what_may_not_be_retried_is_not() -> None:
    error = Refused("quota", status=503)
    error.should_retry = False
    only = calls.make_error_reply(503, error)
    reply, asked, _ = await run([only], A, B)
    assert reply is only
    assert asked == ["a"]


async def test_the_clients_fault_passes_through() -> None:
    fault = InvalidRequest("bad")
    reply, asked, _ = await run([fault], A, B)
    assert reply is fault
    assert asked == ["a"]


async def test_a_long_retry_after_is_passed_on_instead_of_waited_for() -> None:
    last = refused(503, 60.0)
    reply, asked, _ = await run([last], longest_wait=5.0)
    assert reply is last
    assert asked == ["a"]
    assert last.error is not None
    assert last.error.should_retry is None  # one try was made, and the client knows when to come


async def test_a_short_retry_after_is_waited_for() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = calls.make_reply()
    reply, _, _ = await run([refused(503, 0.05), answer])
    assert reply is answer
    assert loop.time() - began >= 0.045


async def test_after_the_time_budget_no_attempt_starts() -> None:
    async def next(call: Call) -> Reply:
        await asyncio.sleep(0.03)
        asked.append(1)
        return refused(500)

    asked: list[int] = []
    await Fallback(wait=0.0, budget=0.02)(calls.make_call(targets=(A, B)), next)
    assert len(asked) == 1


async def test_no_wait_goes_beyond_the_time_budget() -> None:
    async with asyncio.timeout(2):
        last = refused(503, 4.0)
        reply, asked, _ = await run([last], budget=3.0)
    assert reply is last
    assert asked == ["a"]


def test_at_least_one_attempt_is_made() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"attempts"):
        msgspec.convert({"attempts": 0}, Fallback)


def tried(target: Target, retries: int | None) -> Target:
    """The target with tries of its own."""
    return msgspec.structs.replace(target, retries=retries)


@pytest.mark.parametrize(
    ("retries", "asked"),
    [
        ((0, None), ["a"]),
        ((1, None), ["a", "a"]),
        ((4, None), ["a"] * 5),  # more than the three of other calls
        ((None, None), ["a"] * 3),
    ],
)
async def test_a_target_may_have_tries_of_its_own(
    retries: tuple[int | None, ...], asked: list[str]
) -> None:
    _, found, _ = await run([refused(500)] * 9, tried(A, retries[0]))
    assert found == asked


async def test_keys_are_tries_too_and_the_next_target_has_its_own() -> None:
    _, found, _ = await run([refused(429)] * 9, tried(A, 1), tried(B, 0))
    assert found == ["a", "a", "b"]
    _, found, _ = await run([refused(429)] * 9, tried(A, 1), B)
    assert found == ["a", "a", "b"]


async def test_a_target_without_further_tries_is_not_waited_for() -> None:
    async with asyncio.timeout(5):
        reply, found, _ = await run([refused(500, retry_after=4.0)], tried(A, 0))
    assert found == ["a"]
    assert isinstance(reply, Reply)
    assert reply.status == 500
