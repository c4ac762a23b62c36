"""The lines between a supervisor and its workers, both ends in this process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from gateway.dialects.common.signatures import CallerSignatures, SignatureStore
from gateway.workers.broker import MessageBroker
from gateway.workers.peers import NO_PEERS, Keep, PeerConnection, Stop, WorkerPeers
from gateway.workers.shared_signatures import share_signatures
from tests.fakes.client import wait_until


class BrokerWithWorkers:
    """A switchboard and its workers."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.board = MessageBroker()
        self.wires: dict[int, PeerConnection] = {}
        self._lives: dict[int, AsyncExitStack] = {}

    async def worker(
        self, place: int, prepare: Callable[[WorkerPeers], None] = lambda _: None
    ) -> WorkerPeers:
        """A worker that is ready."""
        ours, theirs = socket.socketpair()
        ready = asyncio.Event()
        self.wires[place] = await self.board.join(place, ours, ready.set)
        linked = WorkerPeers(theirs, place, 3)
        prepare(linked)
        self._lives[place] = life = await self._stack.enter_async_context(AsyncExitStack())
        await life.enter_async_context(linked.running())
        linked.ready()
        await ready.wait()
        return linked

    async def leave(self, place: int) -> None:
        """The worker ends."""
        await self._lives[place].aclose()


@asynccontextmanager
async def house() -> AsyncIterator[BrokerWithWorkers]:
    async with AsyncExitStack() as stack:
        made = BrokerWithWorkers(stack)
        yield made
        for wire in made.wires.values():
            wire.close()


def saying(words: bytes) -> Callable[[WorkerPeers], None]:
    """A worker that answers the topic "name" with these words and what it was asked about."""

    async def answer(about: bytes) -> bytes:
        return words + about

    return lambda linked: linked.answer("name", answer)


async def test_all_others_are_asked_and_nobody_else() -> None:
    async with house() as opened:
        one = await opened.worker(1, saying(b"one"))
        two = await opened.worker(2, saying(b"two"))
        await opened.worker(3, saying(b"three"))
        assert sorted(await one.ask("name", b"?")) == [b"three?", b"two?"]
        assert sorted(await two.ask("name")) == [b"one", b"three"]
        assert await two.ask("name", to=1) == [b"one"]
        assert await two.ask("name", to=9) == []
        assert await one.ask("a topic that nobody knows") == []


async def test_large_answers_and_many_questions_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("peers", "broker"):  # how fast it goes is not asked here
        monkeypatch.setattr(f"gateway.workers.{module}.PATIENCE", 20.0)
    async with house() as opened:
        one = await opened.worker(1)
        await opened.worker(2, saying(b"x" * 3_000_000))
        asked = [one.ask("name", b"%d" % number) for number in range(20)]
        for number, answers in enumerate(await asyncio.gather(*asked)):
            assert len(answers[0]) == 3_000_000 + len(b"%d" % number)
            assert answers[0].endswith(b"%d" % number)


async def test_a_worker_that_does_not_answer_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.workers.broker.PATIENCE", 0.05)
    never = asyncio.Event()

    async def silent(about: bytes) -> bytes:
        await never.wait()
        return b""

    async with house() as opened:
        one = await opened.worker(1)
        await opened.worker(2, lambda linked: linked.answer("name", silent))
        await opened.worker(3, saying(b"three"))
        assert await one.ask("name") == [b"three"]
        never.set()


async def test_a_worker_that_ends_meanwhile_is_not_waited_for() -> None:
    waiting = asyncio.Event()

    async def silent(about: bytes) -> bytes:
        waiting.set()
        await asyncio.Event().wait()
        return b""

    async with house() as opened:
        one = await opened.worker(1)
        await opened.worker(2, lambda linked: linked.answer("name", silent))
        asked = asyncio.get_running_loop().create_task(one.ask("name"))
        await waiting.wait()
        opened.wires[2].close()
        async with asyncio.timeout(0.5):
            assert await asked == []


async def test_what_is_kept_is_said_for_those_that_have_ended() -> None:
    count = 0

    async def counted(about: bytes) -> bytes:
        return b"%d" % count

    async with house() as opened:
        one = await opened.worker(1)
        await opened.worker(2, lambda linked: linked.keep("count", counted))
        count = 7
        assert await one.ask("count") == [b"7"]
        await opened.leave(2)
        await wait_until(lambda: opened.board.places == {1})
        assert await one.ask("count") == [b"7"]
        assert await one.ask("count", to=2) == []
        count = 1
        await opened.worker(2, lambda linked: linked.keep("count", counted))
        assert sorted(await one.ask("count")) == [b"1", b"7"]


async def test_no_more_than_so_many_ended_workers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.workers.broker._ENDED", 2)

    async def counted(about: bytes) -> bytes:
        return b"1"

    async with house() as opened:
        one = await opened.worker(1)
        for _ in range(5):
            await opened.worker(2, lambda linked: linked.keep("count", counted))
            await opened.leave(2)
            await wait_until(lambda: opened.board.places == {1})
        assert await one.ask("count") == [b"1"] * 2


async def test_the_supervisor_says_stop_and_so_does_its_end() -> None:
    told: list[bool] = []
    async with house() as opened:
        one = await opened.worker(1)
        one.on_stop = told.append
        opened.wires[1].send(Stop(True))
        await wait_until(lambda: told == [True])
        opened.wires[1].close()
        await wait_until(lambda: told == [True, False])
        assert await one.ask("name") == []


async def test_messages_come_however_the_bytes_are_cut() -> None:
    heard: list[object] = []
    ours, theirs = socket.socketpair()
    wire = PeerConnection(heard.append, lambda: None)
    await wire.open(ours)
    sent = PeerConnection(lambda _: None, lambda: None)
    parts: list[bytes] = []
    await sent.open(theirs)
    sent._transport.write = parts.append  # type: ignore[union-attr, method-assign]
    for number in range(3):
        sent.send(Keep("topic", b"x" * number))
    whole = b"".join(parts)
    for size in (1, 7, len(whole)):
        heard.clear()
        for start in range(0, len(whole), size):
            wire.data_received(whole[start : start + size])
        assert heard == [Keep("topic", b"x" * number) for number in range(3)]
    wire.close()
    sent.close()


async def test_one_process_has_nobody_to_ask() -> None:
    async with NO_PEERS.running():
        assert await NO_PEERS.ask("name") == []
    assert (NO_PEERS.place, NO_PEERS.count) == (1, 1)
    NO_PEERS.tell("name", b"")


async def test_news_reach_all_others() -> None:
    heard: dict[int, list[bytes]] = {1: [], 2: [], 3: []}

    def hearing(place: int) -> Callable[[WorkerPeers], None]:
        async def hear(about: bytes) -> bytes:
            heard[place].append(about)
            return b""

        return lambda linked: linked.answer("news", hear)

    async with house() as opened:
        one = await opened.worker(1, hearing(1))
        await opened.worker(2, hearing(2))
        await opened.worker(3, hearing(3))
        one.tell("news", b"a")
        one.tell("what nobody listens to", b"b")
        one.tell("news", b"c")
        await wait_until(lambda: heard == {1: [], 2: [b"a", b"c"], 3: [b"a", b"c"]})


async def test_a_signature_that_one_worker_keeps_is_known_in_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = SignatureStore(), SignatureStore()
    async with house() as opened:
        monkeypatch.setattr("gateway.workers.shared_signatures.PROCESS_SIGNATURES", there)
        await opened.worker(2, share_signatures)
        told = there.on_keep
        monkeypatch.setattr("gateway.workers.shared_signatures.PROCESS_SIGNATURES", here)
        await opened.worker(1, share_signatures)
        assert here.on_keep is not told
        monkeypatch.setattr(
            "gateway.workers.shared_signatures.PROCESS_SIGNATURES", there
        )  # what the other one's topic keeps
        CallerSignatures(here, "tenant", "gemini:pro").keep("call_1", "sealed thought")
        await wait_until(lambda: there.find("tenant", ("gemini:pro", "call_1")) == "sealed thought")
        assert there.find("another", ("gemini:pro", "call_1")) is None
