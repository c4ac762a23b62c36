"""Batches over a running gateway: what clients get for what they send."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.fakes.client import RawClient, wait_until
from tests.fakes.steps import Json, Pause, Reset, Stall, WaitFor
from tests.faults.batches import (
    EVENTS,
    PATH,
    batch,
    batching,
    echo,
    events,
    fetched,
    item,
    responses,
    said,
    status_of,
    status_once,
)
from tests.faults.scene import FaultGateway
from tests.faults.wires import BOTH, PINGS, TEXT, Answer, Dialect, encode, fault, received, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPTIONS = """
[server]
ping = 0.2
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    folder = tmp_path_factory.mktemp("batch")
    async with batching(folder, "max_items = 60", OPTIONS) as made:
        yield made


def decoded(answer: Answer) -> Any:
    return msgspec.json.decode(answer.body)


@pytest.mark.parametrize("upstream", BOTH)
@pytest.mark.parametrize("path", [PATH, "/messages/batch"])
async def test_the_reference_example(running: FaultGateway, upstream: Dialect, path: str) -> None:
    model = f"{upstream}:{running.play(echo(upstream))}"
    items = [
        {"messages": [{"role": "user", "content": text}], "max_tokens": most, "model": model}
        for text, most in (("Hello", 100), ("Hi there", 150))
    ]
    async with RawClient(running.gateway.port) as client:
        headers = ("content-type", "application/json"), ("accept", "*/*")
        await client.post(path, encode({"messages": items}), *headers)
        answer = await received(client, "messages")
    body = decoded(answer)
    batch_id, ended = body.pop("batch_id"), body.pop("completion_time")
    messages = [each["converted_data"].pop("message") for each in body["results"]]
    assert body == {
        "total_messages": 2,
        "successful_messages": 2,
        "failed_messages": 0,
        "success_rate": 1.0,
        "results": [
            {"success": True, "converted_data": {"response": text}, "errors": [], "warnings": []}
            for text in ("Hello", "Hi there")
        ],
    }
    assert batch_id.startswith("batch-")
    assert (len(ended), ended[10], ended[-1]) == (20, "T", "Z")
    assert [each["content"][0]["text"] for each in messages] == ["Hello", "Hi there"]
    assert {(each["type"], each["stop_reason"]) for each in messages} == {("message", "end_turn")}
    assert answer.status == 200
    assert answer.headers[b"content-type"] == b"application/json"
    assert answer.headers[b"x-batch-id"].decode() == batch_id
    limits = "max_tokens" if upstream == "messages" else "max_completion_tokens"
    sent = [msgspec.json.decode(each.body) for each in running.asked(model.partition(":")[2])]
    assert sorted(each.get(limits, each.get("max_tokens")) for each in sent) == [100, 150]
    status, told = await fetched(running.gateway.port, f"{path}/{batch_id}/status")
    assert (status, told) == (200, {
        "batch_id": batch_id, "status": "completed", "total_messages": 2, "processed_messages": 2,
        "successful_messages": 2, "failed_messages": 0, "completion_time": ended,
    })  # fmt: skip


async def test_answers_come_in_the_order_of_the_items(running: FaultGateway) -> None:
    models = {
        text: running.play([Pause(0.02 * (5 - place)), Json(whole("chat", text))])
        for place, text in enumerate("abcde")
    }
    items = [item(f"chat:{model}", custom_id=text) for text, model in models.items()]
    answer = await batch(running.gateway.port, items)
    assert responses(answer) == list("abcde")
    assert [each["custom_id"] for each in decoded(answer)["results"]] == list("abcde")


async def test_one_items_failure_is_its_own(running: FaultGateway) -> None:
    good, cut = running.play(echo("messages")), running.play([Reset()])
    limited = running.play(Json(fault("chat"), 429))
    nonsense = running.play(Json(b"<html>"))
    no_answer = running.play(Json({"ok": True}))
    asked = [
        item(f"messages:{good}", "one"),
        item(f"chat:{limited}"),
        item(f"chat:{cut}"),
        item("nowhere:m"),
        item(f"messages:{nonsense}"),
        item(f"messages:{no_answer}"),
        item(f"chat:{good}", "x") | {"tools": [{"name": 1}]},
        item(f"messages:{good}", "two"),
    ]
    answer = await batch(running.gateway.port, asked)
    body = decoded(answer)
    assert responses(answer) == ["one", *[None] * 6, "two"]
    assert (body["successful_messages"], body["failed_messages"]) == (2, 6)
    assert body["success_rate"] == 0.25
    failed = body["results"][1:7]
    assert all(set(each) == {"success", "converted_data", "errors", "warnings"} for each in failed)
    told = [each["errors"][0] for each in failed]
    assert told[0] == "rate_limit_error: slow down"
    assert told[1].startswith("api_error: ")
    assert told[2].startswith('not_found_error: Unknown provider "nowhere"')
    assert told[3].startswith("api_error: ")
    assert told[4].startswith("api_error: ")
    assert told[5].startswith("invalid_request_error: tools.0.name: ")


async def test_what_conversion_loses_is_told_of_the_item_alone(running: FaultGateway) -> None:
    model = f"chat:{running.play(echo('chat'))}"
    answer = await batch(running.gateway.port, [item(model, top_k=5), item(model)])
    first, second = decoded(answer)["results"]
    assert any(warning.startswith("top_k:") for warning in first["warnings"])
    assert second["warnings"] == []


async def test_an_item_that_asks_for_a_stream_is_answered_whole(running: FaultGateway) -> None:
    model = running.play(echo("messages"))
    answer = await batch(running.gateway.port, [item(f"messages:{model}", stream=True)])
    assert responses(answer) == ["hi"]
    assert b"stream" not in running.asked(model)[0].body
    assert b"custom_id" not in running.asked(model)[0].body


async def test_pretty_and_broken_text_of_an_upstream_makes_no_broken_answer(
    running: FaultGateway,
) -> None:
    pretty = msgspec.json.format(whole("messages", "p"), indent=2)
    lone = whole("messages", "LONE").replace(b"LONE", rb"a\ud800b")
    bytes_ = whole("messages", "BYTE").replace(b"BYTE", b"\xff")
    items = [item(f"messages:{running.play(Json(body))}") for body in (pretty, lone, bytes_)]
    answer = await batch(running.gateway.port, items, EVENTS)
    name, last = events(answer)[-1]
    assert name == "batch_completed"
    texts = [each["converted_data"]["response"] for each in last["results"]]
    assert texts == ["p", "a\ufffdb", "\ufffd"]


async def test_an_items_model_is_the_batchs_where_it_names_none(running: FaultGateway) -> None:
    model = running.play(echo("chat"))
    items = [item("", "one"), item(f"chat:{running.play(Json(whole('chat')))}")]
    del items[0]["model"]
    answer = await batch(running.gateway.port, items, model=f"chat:{model}")
    assert responses(answer) == ["one", TEXT]


BAD: list[tuple[Any, str]] = [
    ({}, "messages: Field required"),
    ({"messages": 1}, "messages: Expected `array`, got `int`"),
    ({"messages": []}, "messages: at least one item is required"),
    ({"messages": [{}] * 61}, "messages: 61 items are more than the 60 of one batch"),
    ({"messages": [item("m"), 1]}, "messages.1: Expected `object`, got `int`"),
    ({"messages": [item("m"), {"model": "m", "max_tokens": 1}]}, "messages.1.messages: "),
    ({"messages": [item("m", messages=[])]}, "messages.0.messages: at least one message"),
    ({"messages": [item("m", max_tokens="1")]}, "messages.0.max_tokens: "),
    ({"messages": [item("m", max_tokens=-1)]}, "messages.0.max_tokens: "),
    ({"messages": [item("")]}, "messages.0.model: "),
    ({"messages": [item("m"), {"messages": [1], "max_tokens": 1}]}, "messages.1.model: Field"),
    ({"messages": [item("m")], "model": 1}, "model: Expected `str`, got `int`"),
    ({"messages": [item("m", custom_id="")]}, "messages.0.custom_id: must have 1 to 64"),
    ({"messages": [item("m", custom_id="a" * 65)]}, "messages.0.custom_id: must have 1 to 64"),
    ({"messages": [item("m", custom_id=1)]}, "messages.0.custom_id: Expected `str`"),
    (
        {"messages": [item("m", custom_id="a"), item("m"), item("m", custom_id="a")]},
        'messages.2.custom_id: "a" is that of messages.0 already',
    ),
]


@pytest.mark.parametrize(("body", "words"), BAD, ids=lambda value: str(value)[:30])
async def test_a_bad_batch_is_refused_and_nothing_started(
    running: FaultGateway, body: Any, words: str
) -> None:
    before = len(running.upstream.requests)
    async with RawClient(running.gateway.port) as client:
        await client.post(PATH, encode(body), EVENTS)
        answer = await received(client, "messages")
    (error,) = answer.errors
    assert (answer.status, error["type"]) == (400, "batch_processing_error")
    assert error["message"].startswith(words)
    assert error["details"] == {
        "enhancement_phase": "phase_4_anthropic_beta",
        "feature": "batch_processing",
        "fallback_applied": False,
    }
    assert b"x-batch-id" not in answer.headers
    assert len(running.upstream.requests) == before


async def test_a_body_that_is_not_utf_8_is_refused(running: FaultGateway) -> None:
    async with RawClient(running.gateway.port) as client:
        bad = encode({"messages": [item("m", custom_id="BYTE")]}).replace(b"BYTE", b"\xff")
        await client.post(PATH, bad)
        answer = await received(client, "messages")
    assert answer.status == 400
    assert "UTF-8" in answer.errors[0]["message"]


@pytest.mark.parametrize("count", [3, 40])
async def test_events_tell_of_each_item_and_then_the_whole(
    running: FaultGateway, count: int
) -> None:
    model, bad = running.play(echo("chat")), running.play(Json(fault("chat"), 400))
    items = [item(f"chat:{model}", f"t{n}", custom_id=f"c{n}") for n in range(count)]
    items[1] = item(f"chat:{bad}")
    answer = await batch(running.gateway.port, items, EVENTS)
    assert answer.streamed
    assert answer.headers[b"cache-control"] == b"no-cache"
    told = [(name, body) for name, body in events(answer) if name != "ping"]
    names = [name for name, _ in told]
    assert names == ["batch_started", *["item_completed"] * count, "batch_completed"]
    assert all(body["type"] == name for name, body in told)
    assert {body["batch_id"] for _, body in told} == {answer.headers[b"x-batch-id"].decode()}
    done = [body for name, body in told if name == "item_completed"]
    assert [each["processed_messages"] for each in done] == list(range(1, count + 1))
    assert sorted(each["index"] for each in done) == list(range(count))
    assert [each["index"] for each in done if not each["success"]] == [1]
    assert all(each.get("custom_id") in (f"c{each['index']}", None) for each in done)
    last = told[-1][1]
    texts = [each["converted_data"] and each["converted_data"]["response"]
             for each in last["results"]]  # fmt: skip
    assert texts == ["t0", None, *(f"t{n}" for n in range(2, count))]
    assert (last["successful_messages"], last["failed_messages"]) == (count - 1, 1)


@pytest.mark.parametrize("accept", [(), (("accept", "*/*"),), (("accept", "application/json"),)])
async def test_json_is_json_whatever_its_size(
    running: FaultGateway, accept: tuple[tuple[str, str], ...]
) -> None:
    model = running.play(echo("messages"))
    items = [item(f"messages:{model}", f"t{n}") for n in range(50)]
    answer = await batch(running.gateway.port, items, *accept)
    assert answer.headers[b"content-type"] == b"application/json"
    assert responses(answer) == [f"t{n}" for n in range(50)]
    body = decoded(answer)
    small = decoded(await batch(running.gateway.port, items[:20], *accept))
    assert set(body) == set(small)
    assert body["success_rate"] == 1.0


async def test_a_large_batchs_json_comes_as_it_is_made(running: FaultGateway) -> None:
    gate = asyncio.Event()
    held = running.play([WaitFor(gate), Json(whole("chat", "held"))])
    model = running.play(echo("chat"))
    items = [item(f"chat:{model}", f"t{n}") for n in range(30)]
    items[4] = item(f"chat:{held}")
    async with RawClient(running.gateway.port) as client:
        await client.post(PATH, encode({"messages": items}))
        _, headers = await client.read_head()
        first = b""
        while b'"t3"' not in first:
            first += await client.read_chunk()
        assert b'"t4"' not in first
        while (piece := await client.read_chunk()) != b"\n":  # a sign of life in the silence
            first += piece
        gate.set()
        rest = b""
        while piece := await client.read_chunk():
            rest += piece
    batch_id = headers[b"x-batch-id"].decode()
    body = msgspec.json.decode(first + b"\n" + rest)
    texts = [each["converted_data"]["response"] for each in body["results"]]
    assert texts == ["t0", "t1", "t2", "t3", "held", *(f"t{n}" for n in range(5, 30))]
    assert body["batch_id"] == batch_id


async def test_events_are_pinged_in_silence(running: FaultGateway) -> None:
    slow = running.play(echo("chat", 0.9))
    answer = await batch(running.gateway.port, [item(f"chat:{slow}")], EVENTS)
    assert PINGS["messages"] in answer.body
    assert events(answer)[-1][0] == "batch_completed"


async def test_status_while_a_batch_runs(running: FaultGateway) -> None:
    gate, port = asyncio.Event(), running.gateway.port
    held = running.play([WaitFor(gate), Json(whole("chat", "held"))])
    quick, bad = running.play(echo("chat")), running.play(Json(fault("chat"), 400))
    items = [item(f"chat:{model}") for model in (quick, bad, held)]
    async with RawClient(port) as client:
        await client.post(PATH, encode({"messages": items}), EVENTS)
        _, headers = await client.read_head()
        batch_id = headers[b"x-batch-id"].decode()
        told = await status_once(port, batch_id, lambda told: told["processed_messages"] == 2)
        assert told == {
            "batch_id": batch_id, "status": "processing", "total_messages": 3,
            "processed_messages": 2, "successful_messages": 1, "failed_messages": 1,
            "completion_time": None,
        }  # fmt: skip
        gate.set()
        await client.read_body(headers)
    _, told = await status_of(port, batch_id)
    assert (told["status"], told["processed_messages"]) == ("completed", 3)
    assert told["completion_time"] is not None


async def test_an_unknown_batch_is_not_found(running: FaultGateway) -> None:
    status, body = await status_of(running.gateway.port, "batch-000")
    assert (status, body["error"]["type"]) == (404, "not_found_error")


async def test_no_more_than_the_limit_is_in_flight(running: FaultGateway) -> None:
    gate = asyncio.Event()
    model = running.play([WaitFor(gate), Json(whole("chat", "ok"))])
    both = [
        asyncio.ensure_future(batch(running.gateway.port, [item(f"chat:{model}")] * 40))
        for _ in range(2)
    ]
    await wait_until(lambda: len(running.asked(model)) == 32)
    await asyncio.sleep(0.1)
    assert len(running.asked(model)) == 32
    gate.set()
    for answer in await asyncio.gather(*both):
        assert responses(answer) == ["ok"] * 40


async def test_items_give_way_to_other_calls(tmp_path: Path) -> None:
    async with batching(tmp_path, "concurrency = 8\nbusy = 2") as running:
        stalled, port = running.play(Stall()), running.gateway.port
        model = running.play(echo("chat", 0.05))
        others = [RawClient(port) for _ in range(8)]
        for client in others:
            await client.__aenter__()
            await client.post("/v1/messages", encode(item(f"chat:{stalled}")))
        await wait_until(lambda: len(running.asked(stalled)) == 8)
        under_way = asyncio.ensure_future(batch(port, [item(f"chat:{model}")] * 20))
        await wait_until(lambda: len(running.asked(model)) == 4)
        busiest = _most_at_once(running, model, 0.05)
        assert busiest <= 2  # 8 slots less the 6 calls beyond busy
        for client in others:
            client.hang_up()
        assert responses(await under_way) == ["hi"] * 20
        assert _most_at_once(running, model, 0.05) > 4


def _most_at_once(running: FaultGateway, model: str, seconds: float) -> int:
    """Most requests that reached the upstream in so many seconds."""
    times = [request.received_at for request in running.asked(model)]
    return max(sum(at <= each < at + seconds * 0.9 for each in times) for at in times)


async def test_tenants_do_not_see_each_others_batches(tmp_path: Path) -> None:
    keys = ('{ name = "a", key = "key-of-a-123" }', '{ name = "b", key = "key-of-b-123" }')
    async with batching(tmp_path, "", f"[auth]\nkeys = [{', '.join(keys)}]\n") as running:
        port, model = running.gateway.port, running.play(echo("chat"))
        a, b = ("x-api-key", "key-of-a-123"), ("authorization", "Bearer key-of-b-123")
        items = [item(f"chat:{model}")]
        refused = await batch(port, items)
        assert refused.told == (401, "authentication_error")
        batch_id = decoded(await batch(port, items, a))["batch_id"]
        assert (await status_of(port, batch_id, a))[0] == 200
        assert (await status_of(port, batch_id, b))[0] == 404
        assert (await status_of(port, batch_id))[0] == 401
        assert (await status_of(port, batch_id, ("x-api-key", "wrong")))[0] == 401
        assert all(b"key-of-a" not in bytes(v) for r in running.asked(model) for _, v in r.headers)
        assert said(running.asked(model)[0]) == "hi"


async def test_each_item_is_counted_and_logged_as_a_call(running: FaultGateway) -> None:
    model = running.play(echo("chat"))
    ident = ("x-request-id", "batch-of-three")
    await batch(running.gateway.port, [item(f"chat:{model}")] * 3, ident)
    await wait_until(lambda: running.gateway.log.count('"request_id":"batch-of-three') == 4)
    lines = [msgspec.json.decode(line) for line in running.gateway.log.splitlines()
             if '"request_id":"batch-of-three' in line]  # fmt: skip
    told = {line["request_id"]: (line["dialect"], line["status"], line["end"]) for line in lines}
    assert told == {"batch-of-three": ("messages_batch", 200, "complete")} | {
        f"batch-of-three-{n}": ("messages", 200, "complete") for n in range(3)
    }
    path = f"/metrics/running-totals?model={model}"
    _, totals = await fetched(running.gateway.port, path)
    assert (totals["summary"]["requests"], totals["summary"]["errors"]) == (3, 0)
    assert totals["summary"]["output_tokens"] == 6
