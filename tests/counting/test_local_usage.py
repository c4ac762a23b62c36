"""The usage of an answer that a local stop sequence ended, as its client is told it."""

from math import ceil
from typing import Any

import anthropic
import httpx2

from gateway.call import Target
from gateway.counting.families import get_family
from gateway.counting.local_usage import LocalUsageWriter, add_local_usage
from gateway.counting.texts import count_by_script
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.neutral.events import Ending, Event, MessageEnd, TextDelta, Usage
from gateway.reply import Reply, Stream
from middleware.convert import Convert
from tests.dialects.chat.conversions import conversion
from tests.fakes import calls
from tests.faults.engines import Chunks
from tests.faults.wires import stream

STOPS = ["A", "B", "C", "D", "END"]


class Kept:
    """A writer that keeps what it is to write."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, event: Event) -> bytes:
        self.events.append(event)
        return b""


def test_a_stream_without_local_stops_is_written_as_it_is() -> None:
    writer = Kept()
    assert add_local_usage(writer, conversion()) is writer


def test_usage_that_was_told_stays() -> None:
    way = conversion()
    way.local_stops = ("END",)
    writer = Kept()
    lane = add_local_usage(writer, way)
    assert isinstance(lane, LocalUsageWriter)
    told = MessageEnd(Ending("end_turn", usage=Usage(7, 9)))
    lane.write(told)
    assert writer.events == [told]


def test_usage_that_was_not_is_estimated() -> None:
    way = conversion()
    way.local_stops, way.input_estimate = ("END",), 12
    writer = Kept()
    lane = add_local_usage(writer, way)
    for event in (
        TextDelta("Once upon "),
        TextDelta("a time"),
        MessageEnd(Ending("stop_sequence")),
    ):
        lane.write(event)
    ended = writer.events[-1]
    assert isinstance(ended, MessageEnd)
    assert ended.ending.usage is not None
    wanted = get_family("real").factor * count_by_script("Once upon a time")
    assert ended.ending.usage.input == 12
    assert ended.ending.usage.output == ceil(wanted)


async def test_a_messages_client_is_told_what_its_answer_came_to() -> None:
    link = Convert()
    link.bind(calls.runtime())
    source = Chunks(*stream("chat", "One two three ", "END four"))

    async def next(call: Any) -> Reply:
        return Reply(200, CHAT, Stream(source))

    body = {"max_tokens": 9, "stream": True, "stop_sequences": STOPS}
    call = calls.make_call(body, dialect=MESSAGES, targets=(Target("p", "gpt-4o", (CHAT,)),))
    reply = await link(call, next)
    assert isinstance(reply.body, Stream)
    wire = b"".join([chunk async for chunk in reply.body])
    await reply.aclose()
    message = accumulated(wire)
    assert message.stop_sequence == "END"
    assert message.usage.output_tokens == 3
    assert message.usage.input_tokens > 0
    assert call.record.usage is None  # an estimate is no count: the totals do not take it


def accumulated(wire: bytes) -> anthropic.types.Message:
    """The message as the official client has it at the end."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=wire)

    transport = httpx2.MockTransport(answer)
    with (
        anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=transport)) as client,
        client.messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        ) as live,
    ):
        return live.get_final_message()
