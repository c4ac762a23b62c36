"""Equal calls in flight: one asks, the others get its answer, and nobody waits for nobody."""

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from gateway.call import Call
from gateway.dialects.chat import CHAT
from gateway.errors import Cut, Unreachable
from gateway.reply import Reply, Stream
from middleware.cache import Cache, in_flight as flight
from tests.faults import wires
from tests.middleware.test_cache import STREAM, Frames, Upstream, ask, cache, call, told


class TestSingleFlight:
    async def crowd(
        self, link: Cache, upstream: Upstream, size: int, body: Mapping[str, object] | None = None
    ) -> list[asyncio.Task[tuple[str, str]]]:
        """So many equal calls, all of them under way."""
        upstream.gate.clear()
        asked = [
            asyncio.ensure_future(ask(link, upstream, call({**(body or {})}))) for _ in range(size)
        ]
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
        figures = await link.read_figures()
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
        assert [isinstance(each, asyncio.CancelledError) for each in got] == [True] * 3 + [
            False
        ] * 2
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
        monkeypatch.setattr(flight, "CHECK_INTERVAL", 0.01)
        monkeypatch.setattr(flight, "STALL_TIMEOUT", 0.03)
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
        monkeypatch.setattr(flight, "CHECK_INTERVAL", 0.01)
        monkeypatch.setattr(flight, "STALL_TIMEOUT", 0.0)
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
        assert link._state._flights == {}
