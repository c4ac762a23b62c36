"""The running gateway with its cache: both dialects, whole and streamed, callers apart."""

import asyncio
import random
from collections.abc import AsyncIterator
from statistics import median
from time import perf_counter
from typing import Any

import anthropic
import httpx2
import msgspec
import openai
import pytest
import pytest_asyncio

from tests.fakes.client import RawClient
from tests.fakes.running import run_gateway
from tests.fakes.steps import SSE, Chunk, Close, Head, Json, Pause, ReceivedRequest, Script, Stall
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.scene import PROVIDERS, FaultGateway, model_of
from tests.faults.wires import (
    BOTH,
    PATHS,
    TEXT,
    Answer,
    Dialect,
    ask,
    delta,
    opening,
    received,
    request,
    stream,
    whole,
)
from tests.sdk import answers

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = {name: f"gw-key-of-{name}" for name in ("ann", "bob")}
CONFIG = f"""
[log]
format = "json"
[auth]
keys = [{{ name = "ann", key = "{KEYS["ann"]}" }}, {{ name = "bob", key = "{KEYS["bob"]}" }}]
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "cache"
tools = true
max_entries = 100000
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
"""
STATE = b"x-cache-status"
COMMON: dict[str, Any] = {"max_tokens": 64}
"""What a request of either dialect has, so that both read it alike."""
LANES = [(client, upstream) for client in BOTH for upstream in BOTH]


def key(name: str) -> tuple[str, str]:
    return ("x-api-key", KEYS[name])


class Echoing(FaultGateway):
    """A scene whose upstream answers an unscripted call with its own prompt, said back."""

    @staticmethod
    def said(request: ReceivedRequest) -> Script:
        body = msgspec.json.decode(request.body)
        text = f"you said {body['messages'][-1]['content']}"
        dialect: Dialect = "messages" if request.path.endswith("/messages") else "chat"
        if body.get("stream"):
            return SSE(stream(dialect, text[:5], text[5:]))
        return Json(whole(dialect, text))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    scripts: dict[str, Script] = {}

    def select(request: ReceivedRequest) -> Script:
        return scripts.get(model_of(request)) or Echoing.said(request)

    async with ScriptedUpstream(select=select, seconds=60) as upstream:
        config = CONFIG + PROVIDERS.replace("{url}", upstream.url)
        async with run_gateway(tmp_path_factory.mktemp("cache"), config) as made:
            yield FaultGateway(made, upstream, scripts)


async def state(scene: FaultGateway, dialect: Dialect, model: str, **more: Any) -> str:
    answer = await ask(scene.gateway.port, dialect, model, key("ann"), **COMMON, **more)
    return answer.headers[STATE].decode()


class TestReplay:
    @pytest.mark.parametrize(("client", "upstream"), LANES)
    @pytest.mark.parametrize("streamed", [False, True])
    async def test_one_answer_for_both_dialects_and_forms(
        self, running: FaultGateway, client: Dialect, upstream: Dialect, streamed: bool
    ) -> None:
        name = running.play(SSE(stream(upstream)) if streamed else Json(whole(upstream)))
        port, model = running.gateway.port, f"{upstream}:{name}"
        counted = client == "chat" and streamed
        usage: Any = {"stream_options": {"include_usage": True}} if counted else {}
        first = await ask(port, client, model, key("ann"), stream=streamed, **COMMON, **usage)
        assert (first.text, first.headers[STATE]) == (TEXT, b"miss")
        for dialect in BOTH:
            for form in (False, True):
                again = await ask(port, dialect, model, key("ann"), stream=form, **COMMON)
                assert (again.status, again.text, again.streamed) == (200, TEXT, form)
                assert again.headers[STATE] == b"hit"
                assert again.ended or not form
                assert again.headers[b"x-gateway-provider"] == upstream.encode()
        assert len(running.asked(name)) == 1

    @pytest.mark.parametrize("upstream", BOTH)
    async def test_the_official_clients_read_every_part_of_a_replay(
        self, running: FaultGateway, upstream: Dialect
    ) -> None:
        chat = answers.chat_stream(
            {"content": "Hel"}, {"content": "lo"}, answers.begun(0, "call_1", "look"),
            answers.argued(0, '{"at":'), answers.argued(0, '"it"}'), finish="tool_calls",
        )  # fmt: skip
        messages = answers.message_stream(
            answers.thought("hm", "sig-1"), answers.text("Hello"),
            answers.use("toolu_1", "look", {"at": "it"}), stop="tool_use",
        )  # fmt: skip
        name = running.play(SSE(chat if upstream == "chat" else messages))
        model, url = f"{upstream}:{name}", running.gateway.url
        async with openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key=KEYS["ann"], max_retries=0
        ) as client:
            seen = [await _openai(client, model, streamed) for streamed in (True, False, True)]
        assert seen[0] == seen[1] == seen[2]
        assert seen[0][:2] == ("Hello", [("look", '{"at":"it"}')])
        assert len(running.asked(name)) == 1
        async with anthropic.AsyncAnthropic(
            base_url=url, api_key=KEYS["ann"], max_retries=0
        ) as other:
            told = [await _anthropic(other, model, streamed) for streamed in (True, False, True)]
        assert told[0] == told[1] == told[2]
        kinds = ["thinking", "text", "tool_use"] if upstream == "messages" else ["text", "tool_use"]
        assert [block["type"] for block in told[0][0]] == kinds
        assert told[0][0][-1]["input"] == {"at": "it"}
        assert len(running.asked(name)) == 2  # tools are told in each dialect's own words

    async def test_a_cut_stream_is_never_replayed(self, running: FaultGateway) -> None:
        head = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
        for client, upstream in LANES:
            name = running.play([head, *map(Chunk, stream(upstream)[:-2]), Close()])
            if upstream == "chat":
                frames = [*opening(upstream), delta(upstream, "one")]
                running.scripts[name] = [head, *map(Chunk, frames), Close()]
            for _ in range(2):
                answer = await ask(
                    running.gateway.port, client, f"{upstream}:{name}", key("ann"), stream=True,
                    **COMMON,
                )  # fmt: skip
                assert answer.headers[STATE] == b"miss"
                assert not answer.ended
            assert len(running.asked(name)) == 2

    async def test_a_client_that_leaves_half_way_leaves_nothing_behind(
        self, running: FaultGateway
    ) -> None:
        frames = stream("chat", *["x" * 50] * 20)
        name = running.play(SSE(frames, seconds=0.02))
        async with RawClient(running.gateway.port) as client:
            body = request("chat", f"chat:{name}", stream=True, **COMMON)
            await client.post(PATHS["chat"], body, key("ann"))
            await client.read_until(b"xxx")
        assert await state(running, "chat", f"chat:{name}", stream=True) == "miss"
        assert await state(running, "chat", f"chat:{name}", stream=True) == "hit"

    async def test_errors_and_opt_outs(self, running: FaultGateway) -> None:
        name = running.play(Json({"error": {"message": "no"}}, 500))
        for _ in range(2):
            answer = await ask(running.gateway.port, "chat", f"chat:{name}", key("ann"), **COMMON)
            assert (answer.status, answer.headers[STATE]) == (500, b"miss")
        name = running.play(Json(whole("chat")))
        for header in (("cache-control", "no-store"), ("x-gateway-cache", "bypass")):
            answer = await ask(
                running.gateway.port, "chat", f"chat:{name}", key("ann"), header, **COMMON
            )
            assert answer.headers[STATE] == b"bypass"
        assert await state(running, "chat", f"chat:{name}") == "miss"


async def _openai(
    client: openai.AsyncOpenAI, model: str, streamed: bool
) -> tuple[str | None, list[tuple[str, str]], int, str]:
    """The text, the calls, the tokens used and the id."""
    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    ask: dict[str, Any] = {
        "model": model, "messages": [{"role": "user", "content": "hi"}], "tools": tools,
    }  # fmt: skip
    if streamed:
        options: Any = {"include_usage": True}
        async with client.chat.completions.stream(**ask, stream_options=options) as events:
            done: Any = await events.get_final_completion()
    else:
        done = await client.chat.completions.create(**ask)
    message = done.choices[0].message
    calls = [(call.function.name, call.function.arguments) for call in message.tool_calls or []]
    return message.content, calls, done.usage.total_tokens, done.id


async def _anthropic(
    client: anthropic.AsyncAnthropic, model: str, streamed: bool
) -> tuple[list[Any], str | None, str, int]:
    """The blocks, the stop, the id and the tokens of the answer."""
    ask: dict[str, Any] = {
        "model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    }  # fmt: skip
    if streamed:
        async with client.messages.stream(**ask) as events:
            done: Any = await events.get_final_message()
    else:
        done = await client.messages.create(**ask)
    blocks = [block.to_dict() for block in done.content]
    return blocks, done.stop_reason, done.id, done.usage.output_tokens


class TestSingleFlight:
    async def test_a_thousand_equal_calls_at_once_are_one_upstream_call(
        self, running: FaultGateway
    ) -> None:
        name = running.play([Pause(1.0), SSE(stream("chat"))])
        body = request("chat", f"chat:{name}", stream=True, **COMMON)
        got = await asyncio.gather(*(_posted(running, body) for _ in range(1000)))
        assert len(running.asked(name)) == 1
        assert all(answer.text == TEXT and answer.ended for answer in got)
        states = [answer.headers[STATE] for answer in got]
        assert states.count(b"miss") == 1
        assert set(states) <= {b"miss", b"coalesced", b"hit"}

    async def test_when_the_leader_leaves_a_follower_goes_on(self, running: FaultGateway) -> None:
        name = running.play(Stall())
        body = request("chat", f"chat:{name}", stream=True, **COMMON)
        async with RawClient(running.gateway.port) as leader:
            await leader.post(PATHS["chat"], body, key("ann"))
            await asyncio.sleep(0.1)
            running.scripts[name] = SSE(stream("chat"))
            follower = asyncio.ensure_future(_posted(running, body))
            await asyncio.sleep(0.1)
        answer = await follower
        assert (answer.text, answer.headers[STATE]) == (TEXT, b"miss")
        assert len(running.asked(name)) == 2


async def _posted(scene: FaultGateway, body: bytes) -> Answer:
    async with RawClient(scene.gateway.port) as client:
        await client.post(PATHS["chat"], body, key("ann"))
        return await received(client, "chat", 20)


class TestCallersApart:
    async def mixed(self, scene: FaultGateway, requests: int, at_once: int = 50) -> None:
        """Both callers ask the same things, mixed; an answer names who asked for it first."""
        seen: dict[str, set[str]] = {name: set() for name in KEYS}
        pick = random.Random(1)
        limits = httpx2.Limits(max_connections=at_once)
        model = f"nonce-{pick.random()}"
        asks = [(name, number % 40, number % 3) for name in KEYS for number in range(requests)]
        pick.shuffle(asks)

        def answering(request: ReceivedRequest) -> Script:
            dialect: Dialect = "messages" if request.path.endswith("/messages") else "chat"
            scene.made += 1
            # The upstream cannot know who asks; each answer is one of a kind.
            text = f"<{scene.made}>"
            streamed = msgspec.json.decode(request.body).get("stream")
            return SSE(stream(dialect, text)) if streamed else Json(whole(dialect, text))

        async def answers_(exchange: Any) -> None:
            await exchange.run_script(answering(exchange.request))

        scene.scripts[model] = answers_
        async with httpx2.AsyncClient(
            base_url=scene.gateway.url, timeout=60, limits=limits
        ) as client:

            async def worker() -> None:
                while asks:
                    name, number, way = asks.pop()
                    dialect = BOTH[number % 2]
                    body = request(
                        dialect, f"{BOTH[number % 3 > 0]}:{model}", stream=way > 0, max_tokens=5,
                        messages=[{"role": "user", "content": f"question {number}"}],
                    )  # fmt: skip
                    answer = await client.post(
                        PATHS[dialect], content=body, headers={"x-api-key": KEYS[name]}
                    )
                    assert answer.status_code == 200, answer.text
                    found = Answer(
                        dialect, 200,
                        {b"content-type": answer.headers["content-type"].encode()}, answer.content,
                    )  # fmt: skip
                    seen[name].add(found.text)

            await asyncio.gather(*(worker() for _ in range(at_once)))
        assert all(seen.values())
        assert seen["ann"] & seen["bob"] == set()

    async def test_no_answer_crosses_in_500_calls_each(self, running: FaultGateway) -> None:
        await self.mixed(running, 500)

    @pytest.mark.torture
    @pytest.mark.timeout(300)
    async def test_no_answer_crosses_in_10000_calls_each(self, running: FaultGateway) -> None:
        await self.mixed(running, 10_000)


class TestSpeed:
    @pytest.mark.torture
    @pytest.mark.parametrize("form", [False, True])
    async def test_a_hit_takes_a_hundredth_of_an_upstream_that_takes_a_second(
        self, running: FaultGateway, form: bool
    ) -> None:
        name = running.play([Pause(1.0), Json(whole("chat"))])
        port, model, took = running.gateway.port, f"chat:{name}", []
        for _ in range(50):
            began = perf_counter()
            answer = await ask(port, "chat", model, key("ann"), stream=form, **COMMON)
            took.append(perf_counter() - began)
            assert answer.text == TEXT
        assert len(running.asked(name)) == 1
        assert median(took[1:]) < took[0] / 100, took


class TestEndpoints:
    SEED = {
        "cache_enabled", "cache_backend", "total_requests", "cache_hits", "cache_misses",
        "hit_rate", "cache_size", "max_cache_size", "average_response_time",
        "performance_improvement",
    }  # fmt: skip

    async def test_figures_clear_and_cleanup(self, running: FaultGateway) -> None:
        name = running.play([Pause(0.05), Json(whole("chat"))])
        async with httpx2.AsyncClient(base_url=running.gateway.url) as client:
            ann, bob = ({"x-api-key": KEYS[name]} for name in ("ann", "bob"))
            before = (await client.get("/v1/messages/cache/stats", headers=ann)).json()
            await state(running, "chat", f"chat:{name}")
            await state(running, "chat", f"chat:{name}")
            after = (await client.get("/messages/cache/stats", headers=bob)).json()
            assert set(after) == self.SEED
            assert after["total_requests"] == before["total_requests"] + 2
            assert after["cache_hits"] == before["cache_hits"] + 1
            assert after["cache_misses"] == before["cache_misses"] + 1
            assert after["cache_size"] == before["cache_size"] + 1
            assert (after["cache_backend"], after["cache_enabled"]) == ("memory", True)
            assert all(time.endswith("ms") for time in after["average_response_time"].values())
            assert after["performance_improvement"].endswith("%")
            await client.post("/v1/messages/cache/clear", headers=bob)
            assert await state(running, "chat", f"chat:{name}") == "hit"  # it was not bob's
            cleared = (await client.delete("/v1/messages/cache/clear", headers=ann)).json()
            assert cleared.pop("cleared_entries") >= 1
            assert cleared == {"status": "success", "message": "Cache cleared successfully"}
            assert await state(running, "chat", f"chat:{name}") == "miss"
            cleaned = (await client.post("/v1/messages/cache/cleanup", headers=ann)).json()
            assert cleaned == {
                "status": "success", "message": "Cache cleanup completed",
                "expired_entries_removed": 0, "remaining_entries": 1,
            }  # fmt: skip

    async def test_they_need_a_key_and_their_method(self, running: FaultGateway) -> None:
        async with httpx2.AsyncClient(base_url=running.gateway.url) as client:
            for path in ("stats", "clear", "cleanup"):
                method = "GET" if path == "stats" else "POST"
                answer = await client.request(method, f"/v1/messages/cache/{path}")
                assert answer.status_code == 401
                assert answer.json()["error"]["type"] == "authentication_error"
            for method, path in (("POST", "stats"), ("GET", "clear"), ("DELETE", "cleanup")):
                answer = await client.request(
                    method, f"/v1/messages/cache/{path}", headers={"x-api-key": KEYS["ann"]}
                )
                assert answer.status_code == 405
