"""A Chat server that says role, id and name in every chunk, and a client that joins them."""

import msgspec
import pytest

from gateway.call import Call, Target
from gateway.capability.record import Capability
from gateway.dialects.chat import CHAT
from gateway.dialects.responses import RESPONSES
from gateway.errors import Cut
from gateway.reply import BytesSource, Reply, Stream
from middleware.convert import Convert
from tests.fakes import calls
from tests.faults import wires

REPEATED: list[dict[str, object]] = [
    {"role": "assistant", "tool_calls": [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "get", "arguments": part}}
    ]}
    for part in ('{"a"', ":1", "}")
]  # fmt: skip


class Chunks:
    def __init__(self) -> None:
        choices: list[dict[str, object]] = [
            {"index": 0, "delta": delta, "finish_reason": None} for delta in REPEATED
        ]
        choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
        self.wire = [
            b"data: "
            + msgspec.json.encode({"id": "x", "model": "m", "choices": [choice]})
            + b"\n\n"
            for choice in choices
        ]
        self.wire.append(b"data: [DONE]\n\n")

    async def read(self) -> bytes:
        return self.wire.pop(0) if self.wire else b""

    async def aclose(self) -> None:
        self.wire.clear()


async def told(capability: Capability) -> list[dict[str, object]]:
    """The deltas that the client gets."""
    link = Convert()
    link.bind(calls.runtime())

    async def next(call: Call) -> Reply:
        return Reply(200, CHAT, Stream(Chunks()))

    target = Target("up", "m", (CHAT,), capability)
    reply = await link(calls.make_call({"stream": True}, targets=(target,)), next)
    assert isinstance(reply.body, Stream)
    wire = b"".join([chunk async for chunk in reply.body])
    await reply.body.aclose()
    frames = wire.split(b"\n\n")
    assert frames[-2:] == [b"data: [DONE]", b""]
    chunks = [msgspec.json.decode(frame[6:]) for frame in frames[:-2]]
    return [chunk["choices"][0]["delta"] for chunk in chunks]


async def test_by_default_the_bytes_are_the_upstreams() -> None:
    assert await told(Capability()) == [*REPEATED, {}]


async def test_with_recode_role_id_and_name_are_told_once() -> None:
    deltas = await told(Capability(recode=True))
    calls_told = [call for delta in deltas for call in delta.get("tool_calls", [])]  # type: ignore[attr-defined]
    assert [delta["role"] for delta in deltas if "role" in delta] == ["assistant"]
    assert [call["id"] for call in calls_told if "id" in call] == ["c1"]
    names = [call["function"].get("name") for call in calls_told]
    assert [name for name in names if name] == ["get"]
    assert "".join(call["function"]["arguments"] for call in calls_told) == '{"a":1}'


async def test_a_fault_in_a_response_written_anew_ends_that_response() -> None:
    link = Convert()
    link.bind(calls.runtime())
    begun, *_ = wires.stream("responses", "hi")

    async def next(call: Call) -> Reply:
        return Reply(200, RESPONSES, Stream(BytesSource(begun)))

    target = Target("up", "m", (RESPONSES,), Capability(recode=True))
    call = calls.make_call({"input": "x", "stream": True}, dialect=RESPONSES, targets=(target,))
    reply = await link(call, next)
    assert isinstance(reply.body, Stream)
    assert b"response.created" in await reply.body.read()
    with pytest.raises(Cut) as cut:
        await reply.body.read()
    await reply.body.aclose()
    assert call.record.tell is not None
    assert call.record.tell(cut.value).startswith(b"event: response.failed\n")
