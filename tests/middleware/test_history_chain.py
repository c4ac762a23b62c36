"""History with the cache and the conversion behind it, as the chain has them."""

from typing import Any

import msgspec
import pytest

from gateway.call import Call, Caller
from gateway.dialects.chat import CHAT
from gateway.dialects.responses import RESPONSES
from gateway.plugin import chain
from gateway.reply import Reply, Stream
from middleware.cache import Cache
from middleware.convert import Convert
from middleware.history import History
from tests.dialects.responses.wires import frames_of
from tests.fakes import calls
from tests.fakes.responses import make_message as message_item, make_response
from tests.faults.engines import Chunks
from tests.sdk.answers import chat, chat_stream

SITE = calls.runtime("up")


class Upstream:
    """A Chat server that counts its calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        call.record.provider, call.record.model = "up", "m"
        words = f"answer {len(self.calls)}"
        if call.stream:
            return Reply(200, CHAT, Stream(Chunks(*chat_stream({"content": words}))))
        return Reply(200, CHAT, msgspec.json.encode(chat(words)))


class HistoryChain:
    """The chain of a gateway."""

    def __init__(self) -> None:
        self.upstream = Upstream()
        self.history = History()
        links = [self.history, Cache(), Convert()]
        for link in links:
            link.bind(SITE)
        self._chain = chain(links, self.upstream)

    async def ask(self, **body: Any) -> tuple[str, dict[str, Any]]:
        """The state of the cache for a call, and the response at its end."""
        call = calls.make_call(
            {"input": "hi"} | body, dialect=RESPONSES, targets=(calls.make_target(),)
        )
        reply = await self._chain(call)
        if not isinstance(reply.body, Stream):
            return call.record.cache, msgspec.json.decode(reply.body)
        try:
            wire = b"".join([chunk async for chunk in reply.body])
        finally:
            await reply.aclose()
        last: dict[str, Any] = frames_of(wire)[-1]["response"]
        return call.record.cache, last


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_from_the_cache_can_be_gone_on_from(stream: bool) -> None:
    house = HistoryChain()
    missed, first = await house.ask(stream=stream)
    hit, second = await house.ask(stream=stream)
    assert (missed, hit, len(house.upstream.calls)) == ("miss", "hit", 1)
    for made in (first, second):
        assert made["store"] is True
        assert await house.history.find_response(Caller("anonymous"), made["id"]) is not None
    _, third = await house.ask(stream=stream, input="on", previous_response_id=second["id"])
    assert third["previous_response_id"] == second["id"]
    said = msgspec.json.decode(house.upstream.calls[-1].fields["messages"])
    assert [turn["content"] for turn in said] == ["hi", "answer 1", "on"]


async def test_the_same_words_after_another_answer_are_another_call() -> None:
    house = HistoryChain()
    _, one = await house.ask(input="one")
    _, two = await house.ask(input="two")
    for before in (one, two):
        state, _ = await house.ask(input="on", previous_response_id=before["id"])
        assert state == "miss"


@pytest.mark.parametrize(
    "body", [{"store": True}, {"background": True}, {"conversation": "conv_1"}]
)
async def test_what_an_upstream_keeps_is_never_given_again(body: dict[str, Any]) -> None:
    link = Cache()
    link.bind(SITE)
    call = calls.make_call({"input": "x"} | body, dialect=RESPONSES, targets=(calls.make_target(),))

    async def answer(call: Call) -> Reply:
        return Reply(200, RESPONSES, b"{}")

    await link(call, answer)
    assert call.record.cache == "bypass"


async def test_an_answer_that_came_whole_for_a_stream_has_an_id_that_is_kept_here() -> None:
    house = HistoryChain()
    native = calls.make_target(dialect=RESPONSES)

    async def whole(call: Call) -> Reply:
        return Reply(200, RESPONSES, msgspec.json.encode(make_response(message_item("Hello"))))

    link = Convert()
    link.bind(SITE)
    body = {"input": "hi", "stream": True}
    call = calls.make_call(body, dialect=RESPONSES, targets=(native,))
    reply = await chain([house.history, link], whole)(call)
    assert isinstance(reply.body, Stream)
    try:
        wire = b"".join([chunk async for chunk in reply.body])
    finally:
        await reply.aclose()
    made = frames_of(wire)[-1]["response"]["id"]
    assert made != "resp_1"
    assert await house.history.find_response(call.caller, made) is not None
