"""The link itself: what it asks the rest of the chain for, and what it makes of what comes back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from gateway.call import Call, Caller
from gateway.dialects.batch import BATCH, BatchError
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.edge.exchange import Edge, Limits
from gateway.errors import Refused
from gateway.reply import Reply, Stream
from middleware.batch import Batch
from middleware.batch.registry import BatchEntry, BatchRegistry
from tests.fakes import calls
from tests.fakes.client import wait_until
from tests.faults import wires

Answers = Callable[[Call], Awaitable[Reply]]


class FakeChain:
    """The rest of the chain, which remembers what it was asked."""

    def __init__(self, answers: Answers | None = None) -> None:
        self.calls: list[Call] = []
        self.cancelled = 0
        self._answers = answers or said

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        try:
            return await self._answers(call)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def said(call: Call) -> Reply:
    """An answer that says the last word of the request."""
    asked = msgspec.json.decode(call.fields["messages"])
    return Reply(200, MESSAGES, wires.whole("messages", asked[-1]["content"]))


async def for_ever(call: Call) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


async def untouched(call: Call) -> Reply:
    """No call comes past the batch link here."""
    raise AssertionError


def batch(**options: Any) -> Batch:
    made = Batch(**options)
    made.bind(calls.runtime("up"))
    made.connect(Edge(untouched, Limits()))
    return made


def asked(*texts: str, stream: bool = False, **more: Any) -> Call:
    """A batch with an item for each text."""
    items = [
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]} | more
        for text in texts
    ]
    call = calls.make_call({"messages": items, "stream": stream}, dialect=BATCH)
    del call.fields["model"]
    return call.with_caller(Caller("a"))


def whole(reply: Reply) -> Any:
    assert isinstance(reply.body, bytes)
    return msgspec.json.decode(reply.body)


async def streamed(reply: Reply) -> bytes:
    """The body of a stream, to its end."""
    assert isinstance(reply.body, Stream)
    found = b"".join([chunk async for chunk in reply.body])
    await reply.aclose()
    return found


async def test_a_call_that_is_no_batch_passes_as_it_is() -> None:
    rest, call = FakeChain(), calls.make_call(dialect=MESSAGES)
    await batch()(call, rest)
    assert rest.calls[0] is call


async def test_each_item_is_a_call_of_its_own() -> None:
    rest, call = FakeChain(), asked("one", "two", stream=True, top_k=1)
    call.headers.extend([(b"idempotency-key", b"k"), (b"anthropic-beta", b"b")])
    await streamed(await batch()(call, rest))
    first, second = rest.calls
    assert (first.id, second.id) == ("req_test-0", "req_test-1")
    assert {(each.dialect.name, each.model, each.stream) for each in rest.calls} == {
        ("messages", "m", False)
    }
    assert set(first.fields) == {"model", "max_tokens", "messages", "top_k"}
    assert first.record is not second.record
    assert first.record is not call.record
    assert first.caller == Caller("a")
    assert first.headers == [(b"idempotency-key", b"k-0"), (b"anthropic-beta", b"b")]
    assert second.headers[0] == (b"idempotency-key", b"k-1")


@pytest.mark.parametrize(("count", "stream"), [(2, False), (30, False), (2, True)])
async def test_a_fault_in_a_link_is_the_items_own(count: int, stream: bool) -> None:
    async def broken(call: Call) -> Reply:
        if call.id.endswith("-1"):
            raise ZeroDivisionError
        return await said(call)

    reply = await batch()(asked(*"a" * count, stream=stream), FakeChain(broken))
    body = reply.body if isinstance(reply.body, bytes) else await streamed(reply)
    assert body.count(b'"success":true,"converted_data"') == count - 1
    assert body.count(b'"errors":["api_error: the gateway failed; its log has the details"]') == 1


class Source:
    """A stream that says nothing and knows whether it was closed."""

    closed = False

    async def read(self) -> bytes:
        return b""

    async def aclose(self) -> None:
        self.closed = True


async def test_a_stream_that_was_not_asked_for_is_closed_and_a_failure() -> None:
    source = Source()

    async def answers(call: Call) -> Reply:
        return Reply(200, MESSAGES, Stream(source))

    body = whole(await batch()(asked("a"), FakeChain(answers)))
    assert body["results"][0]["errors"] == ["api_error: a stream came back that was not asked for"]
    assert source.closed


@pytest.mark.parametrize("body", [b"", b"<", b"[]", b"{}", b'{"content":1}', b"[" * 100_000])
async def test_what_is_no_answer_is_a_failure(body: bytes) -> None:
    async def answers(call: Call) -> Reply:
        return Reply(200, MESSAGES, body)

    told = ["api_error: the upstream sent a body that is no Messages answer"]
    assert whole(await batch()(asked("a"), FakeChain(answers)))["results"][0]["errors"] == told


async def test_an_upstreams_error_is_told_in_the_words_of_the_messages_dialect() -> None:
    async def answers(call: Call) -> Reply:
        error = Refused("too long", status=400, kind="invalid_request_error")
        error.code = "context_length_exceeded"
        return Reply(400, CHAT, b"{}", [], error)

    call = asked("a")
    body = whole(await batch()(call, FakeChain(answers)))
    told = ["invalid_request_error: prompt is too long: too long"]
    assert body["results"][0]["errors"] == told


async def test_only_the_text_of_an_answer_is_its_response() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "s", "text": "no"},
        {"type": "text", "text": "one "},
        {"type": "tool_use", "id": "t", "name": "n", "input": {}},
        {"type": "text", "text": "two"},
    ]

    async def answers(call: Call) -> Reply:
        return Reply(200, MESSAGES, wires.encode({"content": blocks, "more": [1.0, 10**30]}))

    reply = await batch()(asked("a"), FakeChain(answers))
    data = whole(reply)["results"][0]["converted_data"]
    assert data["response"] == "one two"
    assert data["message"]["content"] == blocks
    assert isinstance(reply.body, bytes)
    assert b'"more":[1.0,1000000000000000000000000000000]' in reply.body


@pytest.mark.parametrize(("count", "stream"), [(2, False), (30, False), (30, True)])
async def test_a_cancelled_batch_cancels_its_items_and_is_over(count: int, stream: bool) -> None:
    link, rest = batch(), FakeChain(for_ever)
    before = asyncio.all_tasks()

    async def serve() -> None:
        reply = await link(asked(*"a" * count, stream=stream), rest)
        try:
            await streamed(reply)
        finally:
            await reply.aclose()

    task = asyncio.get_running_loop().create_task(serve())
    await wait_until(lambda: len(rest.calls) == count)
    assert link._registry.open_count == 1
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert rest.cancelled == count
    assert link._registry.open_count == link._shared.slots.taken == link._shared.slots.waiting == 0
    assert asyncio.all_tasks() == before
    assert {call.record.end for call in rest.calls} == {"client_gone"}


async def test_a_batch_that_nobody_reads_starts_nothing() -> None:
    link, rest = batch(), FakeChain()
    reply = await link(asked("a", stream=True), rest)
    batch_id = dict(reply.headers)[b"x-batch-id"].decode()
    await reply.aclose()
    assert rest.calls == []
    told = link.find_progress(Caller("a"), batch_id)
    assert told is not None
    assert told.status == "cancelled"
    assert link.find_progress(Caller("b"), batch_id) is None


async def test_a_stream_that_is_over_stays_so() -> None:
    reply = await batch()(asked("a", stream=True), FakeChain())
    assert isinstance(reply.body, Stream)
    chunks = [chunk async for chunk in reply.body]
    assert chunks[0].startswith(b"event: batch_started\n")
    assert await reply.body.read() == b""
    await reply.aclose()


async def test_answers_that_wait_for_nothing_let_others_get_on() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.get_running_loop().create_task(other())
    await batch(concurrency=4)(asked(*"a" * 20), FakeChain())
    task.cancel()
    assert turns >= 5


@pytest.mark.parametrize(
    ("others", "room"), [(0, 8), (2, 8), (3, 7), (8, 2), (9, 1), (10, 1), (100, 1)]
)
async def test_each_other_call_beyond_busy_takes_a_slot(others: int, room: int) -> None:
    link = batch(concurrency=8, busy=2)
    link._edge.open = set(range(others + 1))  # type: ignore[arg-type]
    link._registry.begin_batch("a", 1)  # a batch is in the edge's calls too, and is no other call
    assert link._count_slots() == room


async def test_a_refused_batch_leaves_nothing_behind() -> None:
    link, rest = batch(max_items=2), FakeChain()
    for call in (asked(*"abc"), asked("a", max_tokens="x"), asked("a", "b", custom_id="same")):
        with pytest.raises(BatchError):
            await link(call, rest)
    assert (rest.calls, link._registry.open_count, link._registry._tenants) == ([], 0, {})


class TestLedger:
    def test_the_oldest_ended_ones_of_a_tenant_go_first(self) -> None:
        ledger = BatchRegistry(2, 60)
        running, *ended = (ledger.begin_batch("a", 1) for _ in range(2))
        theirs = ledger.begin_batch("b", 1)
        for entry in (*ended, theirs):
            ledger.end_batch(entry, "completed")
        last = ledger.begin_batch("a", 1)
        assert ledger.find_batch("a", running.id) is running
        assert ledger.find_batch("a", ended[0].id) is None
        assert ledger.find_batch("a", last.id) is last
        assert ledger.find_batch("b", theirs.id) is theirs
        assert ledger.find_batch("b", last.id) is None

    def test_running_ones_are_kept_whatever_their_number(self) -> None:
        ledger = BatchRegistry(1, 60)
        entries = [ledger.begin_batch("a", 1) for _ in range(3)]
        assert all(ledger.find_batch("a", entry.id) is entry for entry in entries)
        assert ledger.open_count == 3

    def test_an_ended_one_is_forgotten_in_time(self) -> None:
        ledger = BatchRegistry(10, 60)
        old, running = ledger.begin_batch("a", 1), ledger.begin_batch("b", 1)
        ledger.end_batch(old, "completed")
        assert ledger.find_batch("a", old.id) is old
        old.ended -= 61
        assert ledger.find_batch("a", old.id) is None
        ledger.begin_batch("b", 1)
        assert ledger._tenants["a"] == {}
        assert ledger.find_batch("b", running.id) is running

    def test_a_beginning_looks_at_nothing_of_other_tenants_but_what_is_old(self) -> None:
        looked: list[str] = []

        class Watched(BatchRegistry):
            def _is_old(self, entry: BatchEntry) -> bool:
                looked.append(entry.id)
                return super()._is_old(entry)

        ledger = Watched(1000, 60)
        for _ in range(250):
            ledger.end_batch(ledger.begin_batch("a", 1), "completed")
        entries = list(ledger._tenants["a"].values())
        looked.clear()
        ledger.begin_batch("b", 1)
        assert looked == [entries[0].id]  # it ended first, and is not old: none is
        for entry in entries:
            entry.ended -= 61
        left = []
        for _ in range(3):
            ledger.begin_batch("b", 1)
            left.append(len(ledger._tenants["a"]))
        assert left == [150, 50, 0]

    def test_the_first_end_stands(self) -> None:
        ledger = BatchRegistry(10, 60)
        entry = ledger.begin_batch("a", 3)
        entry.successful, entry.failed = 1, 1
        ledger.end_batch(entry, "cancelled")
        ledger.end_batch(entry, "completed")
        told = entry.make_progress()
        assert (told.status, told.processed_messages, ledger.open_count) == ("cancelled", 2, 0)
        assert entry.success_rate == 0.3333
