"""What is kept of workers that have ended, or do not answer: figures that grow never shrink."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.workers.broker import MessageBroker
from gateway.workers.peers import Ask, PeerConnection, WorkerPeers
from tests.fakes.client import wait_until


class Counting:
    """A worker that keeps a count, in this process."""

    def __init__(self, linked: WorkerPeers, wire: PeerConnection) -> None:
        self.linked = linked
        self.wire = wire
        self.count = 0
        self.speaking = asyncio.Event()
        self.speaking.set()
        linked.keep("count", self.said)

    async def said(self, about: bytes) -> bytes:
        await self.speaking.wait()
        return b"%d" % self.count

    async def total(self) -> int:
        """The sum over all workers, as this one is told it."""
        own = self.count
        return own + sum(map(int, await self.linked.ask("count")))


@asynccontextmanager
async def worker(board: MessageBroker, place: int) -> AsyncIterator[Counting]:
    ours, theirs = socket.socketpair()
    ready = asyncio.Event()
    wire = await board.join(place, ours, ready.set)
    made = Counting(WorkerPeers(theirs, place, 2), wire)
    async with made.linked.running():
        made.linked.ready()
        await ready.wait()
        yield made
    await wait_until(lambda: place not in board.places)


def added(first: bytes, second: bytes) -> bytes:
    return b"%d" % (int(first) + int(second))


async def killed(board: MessageBroker, one: Counting) -> None:
    """The worker is gone without another word."""
    place = one.linked.place
    one.linked._wire.close()
    await wait_until(lambda: place not in board.places)


async def test_what_was_told_of_a_worker_outlives_it_however_it_ends() -> None:
    board = MessageBroker()
    async with worker(board, 1) as one, worker(board, 2) as two:
        one.count, two.count = 3, 40
        assert await one.total() == 43
        await killed(board, two)
        assert await one.total() == 43


async def test_what_a_worker_told_of_itself_outlives_it() -> None:
    board = MessageBroker()
    async with worker(board, 1) as one, worker(board, 2) as two:
        one.count, two.count = 3, 40
        assert await two.total() == 43
        await killed(board, two)
        assert await one.total() == 43
        async with worker(board, 2) as again:
            again.count = 1
            assert await one.total() == await again.total() == 44


async def test_for_a_worker_that_does_not_answer_its_last_words_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = MessageBroker()
    async with worker(board, 1) as one, worker(board, 2) as two:
        two.count = 40
        assert await one.total() == 40
        two.speaking.clear()
        monkeypatch.setattr("gateway.workers.broker.PATIENCE", 0.05)
        assert await one.total() == 40
        assert await one.linked.ask("count", to=2) == []
        two.count = 41
        two.speaking.set()
        monkeypatch.setattr("gateway.workers.broker.PATIENCE", 20.0)
        assert await one.total() == 41


async def test_a_worker_that_ends_while_it_is_asked_is_counted_once() -> None:
    board = MessageBroker()
    async with worker(board, 1) as one, worker(board, 2) as two:
        two.count = 40
        assert await one.total() == 40
        two.speaking.clear()
        asking = asyncio.ensure_future(one.total())
        await wait_until(lambda: board._open)
        await killed(board, two)
        assert await asking == 40
        assert await one.total() == 40
        two.speaking.set()


async def test_a_line_that_is_closing_is_not_waited_for() -> None:
    board = MessageBroker()
    async with worker(board, 1) as one, worker(board, 2) as two:
        two.count = 40
        assert await one.total() == 40
        two.wire.close()  # its end is heard in the next round of the loop
        answers = one.linked._asked[99] = asyncio.get_running_loop().create_future()
        board._heard(1, one.wire, Ask(99, "count", b""))
        assert not board._open
        assert await answers == [b"40"]
        await wait_until(lambda: board.places == {1})
        assert await one.total() == 40


async def test_a_worker_knows_whether_its_question_came_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    linked = WorkerPeers(theirs, 1, 2)
    async with linked.running():
        monkeypatch.setattr("gateway.workers.peers.PATIENCE", 0.02)
        assert await linked.ask("count") == []
        assert not linked.reached  # nobody reads the other end
        board = MessageBroker()
        await board.join(1, ours, lambda: None)
        monkeypatch.setattr("gateway.workers.peers.PATIENCE", 20.0)
        assert await linked.ask("count") == []
        assert linked.reached
        ours.shutdown(socket.SHUT_RDWR)
        await wait_until(lambda: not linked.reached)
        assert await linked.ask("count") == []
        assert not linked.reached


async def test_the_words_of_ended_workers_are_folded_into_one() -> None:
    board = MessageBroker({"count": added})
    async with worker(board, 1) as one:
        for number in range(1, 6):
            async with worker(board, 2) as two:
                two.count = 10
            assert await one.linked.ask("count") == [b"%d" % (10 * number)]
            assert set(board._kept) <= {one.wire}
