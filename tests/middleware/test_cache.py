"""The link itself: what it asks the rest of the chain for, and what it answers by itself."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from gateway.call import Call, Caller, Headers
from gateway.config.faults import ConfigError
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.chat.same_dialect import make_recording_dialect as signed_by
from gateway.dialects.common.signatures import CallerSignatures, SignatureStore
from gateway.dialects.messages import MESSAGES
from gateway.errors import Cut, Refused, Unreachable
from gateway.reply import Reply, Stream
from gateway.secret import Secret
from middleware.cache import Cache
from tests.fakes import calls
from tests.faults import wires
from tests.faults.engines import Chunks

UP, STAND_IN = calls.make_target("up"), calls.make_target("stand-in")


class Upstream:
    """The rest of the chain: answers by script, and can be made to wait."""

    def __init__(self, *script: Callable[[Call], Awaitable[Reply]]) -> None:
        self.calls: list[Call] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._script = list(script) or [self.whole]

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        call.record.provider, call.record.model = "up", "m"
        turn = self._script[min(len(self.calls), len(self._script)) - 1]
        await self.gate.wait()
        return await turn(call)

    async def whole(self, call: Call) -> Reply:
        if call.stream:
            return await self.streamed(call)
        return Reply(200, call.dialect, wires.whole(_name(call.dialect)))

    async def streamed(self, call: Call) -> Reply:
        return Reply(200, call.dialect, Stream(Frames(wires.stream(_name(call.dialect)))))


class Frames:
    """A source of these frames; it waits at None, and is cut at an exception."""

    def __init__(self, frames: Sequence[bytes | Exception | None]) -> None:
        self.gate = asyncio.Event()
        self.closed = False
        self._frames = list(frames)

    async def read(self) -> bytes:
        if not self._frames:
            return b""
        frame = self._frames.pop(0)
        if frame is None:
            await self.gate.wait()
            return await self.read()
        if isinstance(frame, Exception):
            raise frame
        return frame

    async def aclose(self) -> None:
        self.closed = True


def _name(dialect: Dialect) -> Any:
    return dialect.name


def cache(**options: Any) -> Cache:
    made = Cache(**options)
    made.bind(calls.runtime("up", "stand-in"))
    return made


def call(
    body: dict[str, Any] | None = None,
    *,
    dialect: Dialect = CHAT,
    headers: Headers | None = None,
    caller: str = "a",
) -> Call:
    made = calls.make_call({"max_tokens": 5} | (body or {}), dialect=dialect, headers=headers)
    return made.with_targets((UP, STAND_IN)).with_caller(Caller(caller))


async def ask(link: Cache, upstream: Upstream, made: Call) -> tuple[str, str]:
    """What a call is told, and the state of the cache for it."""
    reply = await link(made, upstream)
    return await told(reply), made.record.cache


async def told(reply: Reply) -> str:
    if isinstance(reply.body, Stream):
        try:
            body = b"".join([chunk async for chunk in reply.body])
        finally:
            await reply.aclose()
        headers = {b"content-type": b"text/event-stream"}
    else:
        body, headers = reply.body, {}
    return wires.Answer(_name(reply.dialect), reply.status, headers, body).text


STREAM = {"stream": True}


class TestHits:
    @pytest.mark.parametrize("first", [{}, STREAM])
    @pytest.mark.parametrize("then", [{}, STREAM])
    @pytest.mark.parametrize("heard", [CHAT, MESSAGES])
    @pytest.mark.parametrize("said", [CHAT, MESSAGES])
    async def test_one_answer_for_all_forms_and_dialects(
        self, first: dict[str, object], then: dict[str, object], heard: Dialect, said: Dialect
    ) -> None:
        link, upstream = cache(), Upstream()
        usage = {"stream_options": {"include_usage": True}} if heard is CHAT else {}
        made = call(first | usage, dialect=heard)
        assert await ask(link, upstream, made) == (wires.TEXT, "miss")
        assert await ask(link, upstream, call(then, dialect=said)) == (wires.TEXT, "hit")
        assert len(upstream.calls) == 1

    async def test_what_comes_back_at_a_miss_is_the_upstreams_own_bytes(self) -> None:
        frames = wires.stream("chat")
        upstream = Upstream()
        reply = await cache()(call(STREAM), upstream)
        assert isinstance(reply.body, Stream)
        assert [chunk async for chunk in reply.body] == frames
        await reply.aclose()

    async def test_an_equal_call_in_the_same_form_gets_the_same_bytes(self) -> None:
        odd = wires.whole("chat").replace(b'"object"', b'"new_member": [1.50], "object"')

        async def answer(asked: Call) -> Reply:
            return Reply(200, asked.dialect, odd)

        link, upstream = cache(), Upstream(answer)
        for state in ("miss", "hit", "hit"):
            made = call()
            reply = await link(made, upstream)
            assert (reply.body, made.record.cache) == (odd, state)
        streams = [await link(call(STREAM), upstream) for _ in range(2)]
        assert len({await told(reply) for reply in streams}) == 1
        assert len(upstream.calls) == 1

    @pytest.mark.parametrize("way", [{}, STREAM])
    async def test_an_answer_that_was_heard_for_its_signatures_is_kept(
        self, way: dict[str, object]
    ) -> None:
        signed = signed_by(CHAT, CallerSignatures(SignatureStore(), "t", "x"))

        async def answer(asked: Call) -> Reply:
            if not asked.stream:
                return Reply(200, signed, wires.whole("chat"))
            return Reply(200, signed, Stream(Chunks(*wires.stream("chat", wires.TEXT))))

        link, upstream = cache(), Upstream(answer)
        for state in ("miss", "hit"):
            assert await ask(link, upstream, call(way)) == (wires.TEXT, state)
        assert len(upstream.calls) == 1

    async def test_a_stream_with_other_options_is_said_anew(self) -> None:
        link, upstream = cache(), Upstream()
        bodies = []
        for usage in (True, False, True):
            options = {"stream_options": {"include_usage": usage}}
            reply = await link(call(STREAM | options), upstream)
            assert isinstance(reply.body, Stream)
            bodies.append(b"".join([chunk async for chunk in reply.body]))
            await reply.aclose()
        assert [b'"usage":{' in body for body in bodies[1:]] == [False, True]

    async def test_another_callers_call_is_a_miss_unless_shared(self) -> None:
        for shared, expected in ((False, "miss"), (True, "hit")):
            link, upstream = cache(shared=shared), Upstream()
            await ask(link, upstream, call(caller="a"))
            assert (await ask(link, upstream, call(caller="b")))[1] == expected

    async def test_a_stream_whose_client_left_is_kept_if_it_was_whole(self) -> None:
        link, upstream = cache(), Upstream()
        for frames, then in ((3, "hit"), (2, "miss")):
            made = call(STREAM | {"seed": frames})
            reply = await link(made, upstream)
            assert isinstance(reply.body, Stream)
            for _ in range(frames + 1):
                await reply.body.read()
            await reply.aclose()
            assert (await ask(link, upstream, call(STREAM | {"seed": frames})))[1] == then

    async def test_a_corrupted_value_is_a_miss(self) -> None:
        link, upstream = cache(), Upstream()
        made = call()
        link._store.put(link._keys.make_key(made), b"nonsense")
        assert (await ask(link, upstream, made))[1] == "miss"
        assert (await ask(link, upstream, call()))[1] == "hit"


class TestWhatIsNotKept:
    async def twice(self, turn: Callable[[Call], Awaitable[Reply]], **body: Any) -> list[str]:
        """The states of two equal calls."""
        link, upstream = cache(), Upstream(turn)
        states = []
        for _ in range(2):
            made = call(body)
            try:
                reply = await link(made, upstream)
                if isinstance(reply.body, Stream):
                    with suppress(Cut):
                        _ = [chunk async for chunk in reply.body]
                await reply.aclose()
            except Unreachable:
                pass
            states.append(made.record.cache)
        assert len(upstream.calls) == 2
        return states

    async def test_faults_and_upstreams_errors(self) -> None:
        async def fails(call: Call) -> Reply:
            raise Unreachable("down")

        async def refuses(call: Call) -> Reply:
            error = Refused("no", status=400)
            return Reply(400, CHAT, wires.fault("chat"), [], error)

        for turn in (fails, refuses):
            assert await self.twice(turn) == ["miss", "miss"]

    async def test_cut_streams_however_they_are_cut(self) -> None:
        head = [*wires.opening("chat"), wires.delta("chat", "x")]
        ways: list[list[Any]] = [[*head, Cut("gone")], head, [*head, wires.fault_event("chat")]]
        for frames in ways:

            async def cut(call: Call, frames: list[Any] = frames) -> Reply:
                return Reply(200, CHAT, Stream(Frames(frames)))

            assert await self.twice(cut, stream=True) == ["miss", "miss"]

    @pytest.mark.parametrize(
        ("finish", "content"),
        [("length", "x"), ("content_filter", "x"), ("stop", ""), ("stop", None)],
    )
    async def test_answers_without_an_ordinary_end(self, finish: str, content: str | None) -> None:
        async def ends(call: Call) -> Reply:
            body = re.sub(rb'"stop"', f'"{finish}"'.encode(), wires.whole("chat", "@"))
            return Reply(200, CHAT, body.replace(b'"@"', msgspec.json.encode(content)))

        assert await self.twice(ends) == ["miss", "miss"]

    async def test_what_a_stand_in_said(self) -> None:
        async def elsewhere(call: Call) -> Reply:
            call.record.provider = "stand-in"
            return Reply(200, CHAT, wires.whole("chat"))

        assert await self.twice(elsewhere) == ["miss", "miss"]

    async def test_nonsense(self) -> None:
        async def babbles(call: Call) -> Reply:
            return Reply(200, CHAT, b"<html>")

        assert await self.twice(babbles) == ["miss", "miss"]

    async def test_another_dialect_than_the_clients(self) -> None:
        async def other(call: Call) -> Reply:
            return Reply(200, MESSAGES, wires.whole("messages"))

        assert await self.twice(other) == ["miss", "miss"]


class TestBypass:
    @pytest.mark.parametrize(
        ("options", "body", "headers"),
        [
            ({}, {}, [(b"cache-control", b"no-store")]),
            ({}, {}, [(b"x-gateway-cache", b"bypass")]),
            ({"enabled": False}, {}, []),
            ({}, {"tools": [{"type": "function", "function": {"name": "f"}}]}, []),
            ({}, {"n": 2}, []),
            ({}, {"stream_options": 7}, []),
            ({"routes": ["up:gpt-*", "other:*"]}, {}, []),
            ({"models": ["gpt-*"]}, {}, []),
        ],
    )
    async def test_nothing_is_looked_up_or_kept(
        self, options: dict[str, Any], body: dict[str, object], headers: Headers
    ) -> None:
        link, upstream = cache(**options), Upstream()
        for _ in range(2):
            assert (await ask(link, upstream, call(body, headers=headers)))[1] == "bypass"
        assert len(upstream.calls) == 2
        assert (await link.read_figures()).size == 0
        assert (await link.read_figures()).misses == 0

    async def test_routes_and_models_that_are_named(self) -> None:
        link, upstream = cache(routes=["up:*"], models=["x", "m"]), Upstream()
        assert (await ask(link, upstream, call()))[1] == "miss"
        assert (await ask(link, upstream, call()))[1] == "hit"

    async def test_a_call_that_was_not_routed(self) -> None:
        made = calls.make_call()
        assert (await ask(cache(), Upstream(), made))[1] == "bypass"

    async def test_an_opted_out_call_neither_waits_nor_is_waited_for(self) -> None:
        link, upstream = cache(), Upstream()
        upstream.gate.clear()
        out: Headers = [(b"cache-control", b"no-store")]
        asked = [
            asyncio.ensure_future(ask(link, upstream, call(headers=headers)))
            for headers in (out, [], out)
        ]
        await asyncio.sleep(0)
        upstream.gate.set()
        assert [state for _, state in await asyncio.gather(*asked)] == ["bypass", "miss", "bypass"]


class TestEndpoints:
    async def test_figures_are_measured(self) -> None:
        link, upstream = cache(max_entries=7), Upstream()
        before = await link.read_figures()
        assert (before.hits, before.misses, before.cached, before.uncached) == (0, 0, None, None)
        assert (before.enabled, before.backend, before.size, before.limit) == (True, "memory", 0, 7)
        for _ in range(3):
            await ask(link, upstream, call())
        after = await link.read_figures()
        assert (after.hits, after.misses, after.size) == (2, 1, 1)
        assert after.cached is not None
        assert after.uncached is not None
        assert after.cached > 0 < after.uncached

    async def test_clear_takes_the_callers_own_only(self) -> None:
        link, upstream = cache(), Upstream()
        for caller in ("a", "b"):
            await ask(link, upstream, call(caller=caller))
        assert await link.clear(Caller("a", Secret("any"))) == 1
        assert (await ask(link, upstream, call(caller="b")))[1] == "hit"
        assert (await ask(link, upstream, call(caller="a")))[1] == "miss"
        assert await link.cleanup() == (0, 2)

    async def test_options_that_cannot_work(self) -> None:
        for url in ("memcached://x", "redis:/x", "/tmp/cache"):
            with pytest.raises(ConfigError) as caught:
                cache(store=Secret(url))
            assert url not in str(caught.value)
        assert "***" in repr(cache(store=Secret("redis://:secret@127.0.0.1:1/0")))
