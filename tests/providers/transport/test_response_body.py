"""The waiting side of an answer."""

import asyncio

import pytest

from gateway.errors import Cut, GatewayError
from providers.transport.response_body import ResponseBody


class FakeProducer:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.paused = False
        self.exchange = ResponseBody(self, asyncio.get_running_loop())

    def resume_reading(self) -> None:
        """Read on."""
        self.paused = False

    def fail_request(self, error: GatewayError) -> None:
        """Hang up."""
        self.exchange.connection = None
        self.exchange.error = error


async def test_one_reader_at_a_time() -> None:
    exchange = FakeProducer().exchange
    task = asyncio.get_running_loop().create_task(exchange.read())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await exchange.read()
    exchange.push_chunk(b"a")
    exchange.wake_reader()
    exchange.wake_reader()
    assert await task == b"a"


async def test_slow_taker_gets_one_chunk_and_reading_goes_on() -> None:
    carrier = FakeProducer()
    assert not carrier.exchange.push_chunk(b"a" * 40_000)
    assert carrier.exchange.push_chunk(b"b" * 40_000)
    carrier.paused = True
    assert await carrier.exchange.read() == b"a" * 40_000 + b"b" * 40_000
    assert not carrier.paused


async def test_what_arrived_is_read_without_a_rest() -> None:
    exchange = FakeProducer().exchange
    exchange.push_chunk(b"a")
    with pytest.raises(StopIteration) as stopped:
        exchange.read().send(None)
    assert stopped.value.value == b"a"


async def test_leaving_the_wait_hangs_up() -> None:
    carrier = FakeProducer()
    task = asyncio.get_running_loop().create_task(carrier.exchange.wait_for_head())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert carrier.exchange.connection is None
    with pytest.raises(Cut):
        await carrier.exchange.read()


async def test_the_rest_of_a_whole_answer_is_read_away() -> None:
    carrier = FakeProducer()
    carrier.paused = True
    carrier.exchange.push_chunk(b"left")
    assert carrier.exchange.linger()
    assert not carrier.paused  # the socket is read on
    assert not carrier.exchange.push_chunk(b"x" * 100_000)  # and nothing is kept
    carrier.exchange.ended = True
    assert await carrier.exchange.read() == b""


async def test_a_rest_that_does_not_end_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.transport.response_body._LINGER_SECONDS", 0.01)
    carrier = FakeProducer()
    carrier.exchange.linger()
    await asyncio.sleep(0.05)
    assert isinstance(carrier.exchange.error, Cut)
