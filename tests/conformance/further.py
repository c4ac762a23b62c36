"""Checks that take more than one request, or an endpoint of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tests.conformance.anthropic_items import REASONED
from tests.conformance.hall import ConformanceGateway, Missing
from tests.conformance.table import HELLO, PLAIN, SPEAKS, USUAL, Json, Provider
from tests.fakes.steps import Json as Whole, Pause
from tests.faults.wires import Answer
from tests.sdk.answers import text

COUNT = "/v1/messages/count_tokens"
BATCHES = "/v1/messages/batches"


def _there(answer: Answer, path: str) -> Any:
    """The answer's JSON. Missing where nothing answers at the path."""
    if answer.status in (404, 405):
        raise Missing(f"this build has no POST {path}")
    assert answer.status == 200, (answer.status, answer.body)
    return msgspec.json.decode(answer.body)


def _asked(to: Provider, **members: object) -> Json:
    return {"model": f"{to}:{USUAL[to]}"} | PLAIN["messages"] | members


def _count(to: Provider) -> Json:
    body = _asked(to, system="Be brief.")
    del body["max_tokens"]
    return body


async def counted_by_the_upstream(hall: ConformanceGateway) -> None:
    """A Messages upstream counts: its bytes, and the client's."""
    hall.script = Whole(b'{"input_tokens": 4711}')
    body = _count("anthropic")
    answer = _there(await hall.post(COUNT, body, "messages"), COUNT)
    assert answer["input_tokens"] == 4711, answer
    (request,) = hall.upstream.requests
    assert request.path == "/anthropic" + COUNT, request.path
    wanted = msgspec.json.encode(body | {"model": USUAL["anthropic"]})
    assert request.body == wanted, request.body


async def counted_here(hall: ConformanceGateway) -> None:
    """No Chat upstream counts, and none is paid to: the gateway estimates, and says so."""
    hall.script = Whole(HELLO["chat"].whole)
    answer = await hall.post(COUNT, _count("openai"), "messages")
    few = _there(answer, COUNT)["input_tokens"]
    assert answer.headers.get(b"x-gateway-estimate") == b"1", answer.headers
    longer = _count("openai") | {"messages": [{"role": "user", "content": "hi there " * 200}]}
    many = _there(await hall.post(COUNT, longer, "messages"), COUNT)["input_tokens"]
    assert 0 < few < 100 < many, (few, many)
    assert not hall.upstream.requests, "a completion was asked for"


async def _created(hall: ConformanceGateway, to: Provider) -> Json:
    calls = [{"custom_id": id, "params": _asked(to)} for id in ("a", "b")]
    answer = await hall.post(BATCHES, {"requests": calls}, "messages")
    batch: Json = _there(answer, BATCHES)
    assert batch["type"] == "message_batch", batch
    return batch


async def _ended(hall: ConformanceGateway, batch: Json) -> Json:
    for _ in range(200):
        if batch["processing_status"] == "ended":
            break
        await asyncio.sleep(0.05)
        batch = msgspec.json.decode((await hall.get(f"{BATCHES}/{batch['id']}")).body)
    assert batch["processing_status"] == "ended", batch
    return batch


async def _results(hall: ConformanceGateway, batch: Json) -> Json:
    lines = (await hall.get(f"{BATCHES}/{batch['id']}/results")).body.splitlines()
    results = {line["custom_id"]: line["result"] for line in map(msgspec.json.decode, lines)}
    assert set(results) == {"a", "b"}, lines
    return results


async def _batched(hall: ConformanceGateway, to: Provider) -> None:
    """Created, retrieved until it ended, its results read, listed, deleted."""
    hall.script = Whole(HELLO[SPEAKS[to]].whole)
    batch = await _ended(hall, await _created(hall, to))
    assert batch["request_counts"]["succeeded"] == 2, batch
    for result in (await _results(hall, batch)).values():
        assert result["type"] == "succeeded", result
        assert result["message"]["content"] == [text("Hello")], result
    listed = msgspec.json.decode((await hall.get(BATCHES)).body)
    assert batch["id"] in [each["id"] for each in listed["data"]], listed
    gone = msgspec.json.decode((await hall.delete(f"{BATCHES}/{batch['id']}")).body)
    assert gone == {"id": batch["id"], "type": "message_batch_deleted"}, gone
    assert (await hall.get(f"{BATCHES}/{batch['id']}")).status == 404


async def batched_by_a_messages_upstream(hall: ConformanceGateway) -> None:
    """Each request of a batch is a call in the client's own dialect."""
    await _batched(hall, "anthropic")


async def batched_by_a_chat_upstream(hall: ConformanceGateway) -> None:
    """Each request of a batch is converted, and its answer too."""
    await _batched(hall, "openai")


async def batch_canceled(hall: ConformanceGateway) -> None:
    """A batch that is canceled ends, and each of its requests has a result."""
    hall.script = [Pause(0.3), Whole(HELLO["chat"].whole)]
    batch = await _created(hall, "openai")
    canceled = await hall.post(f"{BATCHES}/{batch['id']}/cancel", {}, "messages")
    assert canceled.status == 200, canceled.body
    batch = await _ended(hall, msgspec.json.decode(canceled.body))
    assert batch["cancel_initiated_at"], batch
    kinds = {result["type"] for result in (await _results(hall, batch)).values()}
    assert kinds <= {"canceled", "succeeded"}, kinds


async def reasoning_comes_home(hall: ConformanceGateway) -> None:
    """Reasoning of a Chat provider, sealed for a Messages client, goes back to its provider."""
    think = {"type": "enabled", "budget_tokens": 2048}
    hall.script = Whole(REASONED.whole)
    first = await hall.post("/v1/messages", _asked("openrouter", thinking=think), "messages")
    said = msgspec.json.decode(first.body)["content"]
    assert said[0]["signature"].startswith("~gw01."), said
    turns = [
        *PLAIN["messages"]["messages"],
        {"role": "assistant", "content": said},
        {"role": "user", "content": "Go on"},
    ]
    again = await hall.post("/v1/messages", _asked("openrouter", messages=turns), "messages")
    assert b"x-gateway-warnings" not in again.headers, again.headers
    (request,) = hall.upstream.requests
    turn = msgspec.json.decode(request.body)["messages"][1]
    assert turn["content"] == "Hello", turn
    assert turn["reasoning_details"] == [{"type": "reasoning.text", "text": "Hm."}], turn


Check = Callable[[ConformanceGateway], Awaitable[None]]
FURTHER: dict[tuple[str, str], tuple[Check, ...]] = {
    ("anthropic", "thinking blocks in history"): (reasoning_comes_home,),
    ("anthropic", "count_tokens"): (counted_by_the_upstream, counted_here),
    ("anthropic", "message batches"): (
        batched_by_a_messages_upstream,
        batched_by_a_chat_upstream,
        batch_canceled,
    ),
}
