"""The link itself: what it asks the rest of the chain for, and what it answers by itself."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from gateway.call import Call, Caller, Headers
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.errors import Cut, Refused, Unreachable
from gateway.faults import ConfigError
from gateway.reply import Reply, Stream
from gateway.secret import Secret
from middleware.cache import Cache, flight
from tests.fakes import calls
from tests.faults import wires

UP, STAND_IN = calls.target("up"), calls.target("stand-in")


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

    def __init__(self, frames: list[bytes | None | Exception] | list[bytes]) -> None:
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
    made.bind(calls.site("up", "stand-in"))
    return made


def call(
    body: dict[str, Any] | None = None,
    *,
    dialect: Dialect = CHAT,
    headers: Headers | None = None,
    caller: str = "a",
) -> Call:
    made = calls.call({"max_tokens": 5} | (body or {}), dialect=dialect, headers=headers)
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
        link._store.put(link._keys.key(made), b"nonsense")
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
                    try:
                        _ = [chunk async for chunk in reply.body]
                    except Cut:
                        pass
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
        assert (await link.figures()).size == 0
        assert (await link.figures()).misses == 0

    async def test_routes_and_models_that_are_named(self) -> None:
        link, upstream = cache(routes=["up:*"], models=["x", "m"]), Upstream()
        assert (await ask(link, upstream, call()))[1] == "miss"
        assert (await ask(link, upstream, call()))[1] == "hit"

    async def test_a_call_that_was_not_routed(self) -> None:
        made = calls.call()
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


class TestSingleFlight:
    async def crowd(
        self, link: Cache, upstream: Upstream, size: int, body: dict[str, object] | None = None
    ) -> "list[asyncio.Future[tuple[str, str]]]":
        """So many equal calls, all of them under way."""
        upstream.gate.clear()
        asked = [asyncio.ensure_future(ask(link, upstream, call(body))) for _ in range(size)]
        await asyncio.sleep(0.01)
        return asked

    @pytest.mark.parametrize("body", [{}, STREAM])
    async def test_a_thousand_equal_calls_are_one_upstream_call(
        self, body: dict[str, object]
    ) -> None:
        link, upstream = cache(), Upstream()
        asked = await self.crowd(link, upstream, 1000, body)
        upstream.gate.set()
        got = await asyncio.gather(*asked)
        assert len(upstream.calls) == 1
        assert [text for text, _ in got] == [wires.TEXT] * 1000
        assert [state for _, state in got] == ["miss", *["coalesced"] * 999]
        figures = await link.figures()
        assert (figures.hits, figures.misses) == (999, 1)

    async def test_when_the_leader_leaves_one_of_those_who_wait_goes_on(self) -> None:
        link, upstream = cache(), Upstream()
        asked = await self.crowd(link, upstream, 5)
        for place in range(3):
            asked[place].cancel()
            await asyncio.sleep(0.01)
            assert len(upstream.calls) == place + 2
        upstream.gate.set()
        got = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in got] == [True] * 3 + [False] * 2
        assert got[3:] == [(wires.TEXT, "miss"), (wires.TEXT, "coalesced")]

    async def test_one_who_waits_may_leave(self) -> None:
        link, upstream = cache(), Upstream()
        asked = await self.crowd(link, upstream, 3)
        asked[1].cancel()
        await asyncio.sleep(0)
        upstream.gate.set()
        got = await asyncio.gather(asked[0], asked[2])
        assert [state for _, state in got] == ["miss", "coalesced"]

    async def test_after_a_leader_that_fails_one_tries_again_for_all(self) -> None:
        async def fails(call: Call) -> Reply:
            raise Unreachable("down")

        link, upstream = cache(), Upstream(fails)
        upstream._script.append(upstream.whole)
        asked = await self.crowd(link, upstream, 10)
        upstream.gate.set()
        got = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(got[0], Unreachable)
        assert got[1:] == [(wires.TEXT, "miss"), *[(wires.TEXT, "hit")] * 8]  # it was that quick
        assert len(upstream.calls) == 2

    async def test_leaders_that_keep_failing_hold_nobody_up_for_long(self) -> None:
        async def fails(call: Call) -> Reply:
            raise Unreachable("down")

        link, upstream = cache(), Upstream(fails)
        asked = await self.crowd(link, upstream, 10)
        upstream.gate.set()
        got = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) for each in got] == [Unreachable] * 10
        assert len(upstream.calls) == 10

    async def test_a_stream_that_is_cut_leaves_those_who_wait_to_another(self) -> None:
        async def cut(call: Call) -> Reply:
            return Reply(200, CHAT, Stream(Frames([*wires.opening("chat"), Cut("gone")])))

        link, upstream = cache(), Upstream(cut)
        upstream._script.append(upstream.whole)
        asked = await self.crowd(link, upstream, 3, STREAM)
        upstream.gate.set()
        got = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(got[0], Cut)
        assert got[1:] == [(wires.TEXT, "miss"), (wires.TEXT, "hit")]  # it was that quick

    async def test_a_stream_let_go_in_the_middle_does_so_too(self) -> None:
        source = Frames([*wires.opening("chat"), None])

        async def stalls(call: Call) -> Reply:
            return Reply(200, CHAT, Stream(source))

        link, upstream = cache(), Upstream(stalls)
        upstream._script.append(upstream.whole)
        leader = await link(call(STREAM), upstream)
        assert isinstance(leader.body, Stream)
        await leader.body.read()
        waiting = asyncio.ensure_future(ask(link, upstream, call(STREAM)))
        await asyncio.sleep(0.01)
        await leader.aclose()
        assert source.closed
        assert await waiting == (wires.TEXT, "miss")

    async def test_a_leader_whose_client_does_not_read_is_left_alone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flight, "LOOK", 0.01)
        monkeypatch.setattr(flight, "PATIENCE", 0.03)
        link, upstream = cache(), Upstream()
        leader = await link(call(STREAM), upstream)
        assert isinstance(leader.body, Stream)
        await leader.body.read()
        got = await asyncio.gather(*(ask(link, upstream, call(STREAM)) for _ in range(3)))
        assert sorted(state for _, state in got) == ["hit", "hit", "miss"]
        assert await told(leader) == wires.TEXT  # and still gets its own
        assert len(upstream.calls) == 2

    async def test_one_whose_upstream_is_slow_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flight, "LOOK", 0.01)
        monkeypatch.setattr(flight, "PATIENCE", 0.0)
        source = Frames([*wires.opening("chat"), None, *wires.stream("chat")[1:]])

        async def pauses(call: Call) -> Reply:
            return Reply(200, CHAT, Stream(source))

        link, upstream = cache(), Upstream(pauses)
        asked = [asyncio.ensure_future(ask(link, upstream, call(STREAM))) for _ in range(2)]
        await asyncio.sleep(0.1)
        source.gate.set()
        assert [state for _, state in await asyncio.gather(*asked)] == ["miss", "coalesced"]

    async def test_an_answer_cut_short_by_max_tokens_is_shared_though_not_kept(self) -> None:
        async def ends(call: Call) -> Reply:
            return Reply(200, CHAT, wires.whole("chat").replace(b'"stop"', b'"length"'))

        link, upstream = cache(), Upstream(ends)
        asked = await self.crowd(link, upstream, 3)
        upstream.gate.set()
        states = [state for _, state in await asyncio.gather(*asked)]
        assert states == ["miss", "coalesced", "coalesced"]
        assert (await ask(link, upstream, call()))[1] == "miss"

    async def test_an_answer_that_cannot_be_said_again_sends_all_on_their_way_at_once(self) -> None:
        async def two(call: Call) -> Reply:
            body = msgspec.json.decode(wires.whole("chat"))
            body["choices"].append(body["choices"][0] | {"index": 1})
            return Reply(200, CHAT, msgspec.json.encode(body))

        link, upstream = cache(), Upstream(two)
        asked = await self.crowd(link, upstream, 4)
        upstream.gate.set()
        got = await asyncio.gather(*asked)
        assert got == [(wires.TEXT, "miss")] * 4
        assert len(upstream.calls) == 4

    async def test_no_flight_is_left_behind(self) -> None:
        link, upstream = cache(), Upstream()
        asked = await self.crowd(link, upstream, 5)
        asked[0].cancel()
        upstream.gate.set()
        await asyncio.gather(*asked, return_exceptions=True)
        assert link._shelf._flights == {}


class TestEndpoints:
    async def test_figures_are_measured(self) -> None:
        link, upstream = cache(max_entries=7), Upstream()
        before = await link.figures()
        assert (before.hits, before.misses, before.cached, before.uncached) == (0, 0, None, None)
        assert (before.enabled, before.backend, before.size, before.limit) == (True, "memory", 0, 7)
        for _ in range(3):
            await ask(link, upstream, call())
        after = await link.figures()
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
