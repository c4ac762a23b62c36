"""The desk in this process, with a chain that only answers."""

import asyncio
from pathlib import Path
from time import time

import msgspec
import pytest
import sqlalchemy as sa
from blockbuster import blockbuster_ctx

from gateway.batches.scheduler import BatchScheduler
from gateway.batches.tables import BATCH_TABLE, BatchRow, LineRow
from gateway.call import Call
from gateway.config.schema import Batches
from gateway.dialects.messages import MESSAGES
from gateway.edge.exchange import Edge, Limits
from gateway.fanout.item import ItemRunner
from gateway.plugin import Next
from gateway.reply import Reply
from gateway.secret import Secret
from gateway.workers.peers import NoPeers
from tests.faults.wires import whole

ASKED = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}],"stream":true}'


def desk(folder: Path, chain: Next, **options: float) -> BatchScheduler:
    """A desk whose items go that way."""
    edge = Edge(chain, Limits())
    made = msgspec.structs.replace(Batches(poll=0.1, concurrency=4, chunk=5), **options)
    return BatchScheduler(
        made,
        f"sqlite:///{folder}/batches/batches.db",
        ItemRunner(edge, chain, interrupted="drained"),
    )


async def add(
    taking: BatchScheduler,
    items: int,
    credential: Secret | None = None,
    kind: str = "messages",
) -> str:
    """A batch of that many items."""
    now = time()
    batch = BatchRow(
        id=f"{kind}_{items}", kind=kind, tenant="t", caller="name",
        headers=b'[["anthropic-version","1"]]', created=now, expires=now + 60, total=items,
    )  # fmt: skip
    await taking.add_batch(batch, [LineRow(n, f"c-{n}", ASKED) for n in range(items)], credential)
    return batch.id


async def done(taking: BatchScheduler, batch_id: str) -> BatchRow:
    """The batch once it has ended."""
    async with asyncio.timeout(10):
        while True:
            batch = await asyncio.to_thread(taking.store.get_batch, batch_id)
            if batch.phase == "ended":
                return batch
            await asyncio.sleep(0.02)


async def test_nothing_of_it_blocks_the_loop(tmp_path: Path) -> None:
    calls: list[Call] = []

    async def chain(call: Call) -> Reply:
        calls.append(call)
        return Reply(200, MESSAGES, whole("messages"))

    taking = desk(tmp_path, chain)
    with blockbuster_ctx():
        async with taking.running():
            batch = await done(taking, await add(taking, 12, Secret("the client's own")))
            await taking.remove_batch(batch.id)
    assert batch.succeeded == len(calls) == 12
    call = calls[0]
    assert call.caller.name == "name"
    assert call.caller.credential == Secret("the client's own")
    assert not call.stream
    assert "stream" not in call.fields
    assert call.header(b"idempotency-key") == call.id.encode()
    assert call.header(b"anthropic-version") == b"1"


async def test_it_tells_how_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, waiting = asyncio.Event(), asyncio.Semaphore(0)

    async def chain(call: Call) -> Reply:
        waiting.release()
        await gate.wait()
        return Reply(200, MESSAGES, whole("messages"))

    taking = desk(tmp_path, chain)
    idle = {"engine": "embedded", "open": 0, "in_flight": 0, "room": 4}
    async with taking.running():
        assert await taking.get_status() == idle
        batch_id = await add(taking, 9)
        async with asyncio.timeout(10):
            for _ in range(4):
                await waiting.acquire()
        assert await taking.get_status() == idle | {"open": 1, "in_flight": 4}
        gate.set()
        await done(taking, batch_id)
        assert await taking.get_status() == idle

        def away() -> list[str]:
            raise sa.exc.OperationalError("select", {}, OSError("the database is away"))

        monkeypatch.setattr(taking.store, "list_open", away)
        assert await taking.get_status() == idle | {"open": None}
        monkeypatch.undo()


class Second(NoPeers):
    """The peers of a worker that does not lead: the first one says that."""

    place = count = 2

    def __init__(self, *said: bytes) -> None:
        self._said = list(said)

    async def ask(self, topic: str, about: bytes = b"", to: int = 0) -> list[bytes]:
        assert (topic, to) == ("batch slots", 1)
        return self._said


async def test_a_worker_that_does_not_lead_asks_the_one_that_does(tmp_path: Path) -> None:
    async def chain(call: Call) -> Reply:
        raise AssertionError

    first = desk(tmp_path, chain)
    async with first.running():
        for said, slots in (([b"[3,4]"], (3, 4)), ([], (None, None))):
            edge = Edge(chain, Limits())
            url = f"sqlite:///{tmp_path}/batches/batches.db"
            second = BatchScheduler(
                Batches(), url, ItemRunner(edge, chain, interrupted="drained"), Second(*said)
            )
            async with second.running():
                found = await second.get_status()
            assert (found["in_flight"], found["room"]) == slots
            assert found["open"] == 0


async def test_what_breaks_ends_one_item_or_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def chain(call: Call) -> Reply:
        if call.id.endswith("-1"):
            raise ValueError("a link of another's making")
        if call.id.endswith("-2"):
            return Reply(200, MESSAGES, b'\xef\xbb\xbf{"a":\n "\\ud800"}')
        return Reply(200, MESSAGES, b"[]")

    taking = desk(tmp_path, chain)
    pending, failed = taking.store.list_pending, list[int]()

    def failing(batch_id: str, first: int, most: int) -> list[LineRow]:
        if not failed:
            failed.append(first)
            raise OSError("the database is away")
        return pending(batch_id, first, most)

    monkeypatch.setattr(taking.store, "list_pending", failing)
    async with taking.running():
        with monkeypatch.context() as patched:
            patched.setattr(taking, "_engine", object())
            with pytest.raises(AttributeError):
                await add(taking, 2)
        assert taking.store.list_open() == []
        batch = await done(taking, await add(taking, 3))
        items = taking.store.list_results(batch.id, ["succeeded", "errored"], -1, 10)
    assert failed
    assert [(item.state, item.status) for item in items] == [
        ("errored", 502), ("errored", 500), ("succeeded", 200),
    ]  # fmt: skip
    told = [msgspec.json.decode(item.body)["result"] for item in items]
    assert "no JSON object" in told[0]["error"]["error"]["message"]
    assert "its log has the details" in told[1]["error"]["error"]["message"]
    assert told[2]["message"] == {"a": "\ufffd"}


async def test_what_has_no_end_in_time_expires_and_in_time_all_is_forgotten(
    tmp_path: Path,
) -> None:
    gate, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def chain(call: Call) -> Reply:
        begun.release()
        await gate.wait()
        return Reply(200, MESSAGES, whole("messages"))

    taking = desk(tmp_path, chain)
    store = taking.store
    async with taking.running():
        ids = [await add(taking, 7), await add(taking, 7, kind="chat")]
        for _ in range(4):
            await begun.acquire()
        with store.engine.begin() as connection:
            connection.execute(sa.update(BATCH_TABLE).values(expires=time()))
        await asyncio.sleep(0.7)  # the worker has looked by then
        gate.set()
        one, other = [await done(taking, each) for each in ids]
        told = [
            msgspec.json.decode(store.list_results(each, ["expired"], -1, 1)[0].body)
            for each in ids
        ]
        assert store.remove_old(time() + 10) == ids
    assert one.succeeded + other.succeeded == 4
    assert one.expired + other.expired == 10
    assert other.outcome == "expired"
    assert other.error_file is not None
    assert told[0]["result"] == {"type": "expired"}
    assert (told[1]["response"], told[1]["error"]["code"]) == (None, "batch_expired")
