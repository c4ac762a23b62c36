from typing import Any

import pytest

from gateway.call import Target
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.reply import Stream
from providers.echo import GREETING, Echo
from tests.fakes import calls
from tests.faults.engines import runtime
from tests.faults.wires import Answer

DIALECTS = [CHAT, MESSAGES]


async def said(dialect: Dialect, content: Any, *, stream: bool) -> Answer:
    echo = Echo()
    echo.bind("echo", runtime())
    body: dict[str, Any] = {"messages": [{"role": "user", "content": content}], "stream": stream}
    if dialect is MESSAGES:
        body["max_tokens"] = 9
    call = calls.make_call(body, dialect=dialect, targets=(Target("echo", "m", echo.dialects),))
    reply = await echo(call)
    kind = b"text/event-stream" if stream else b"application/json"
    name: Any = dialect.name
    if isinstance(reply.body, Stream):
        data = b"".join([chunk async for chunk in reply.body])
        await reply.aclose()
    else:
        data = reply.body
    return Answer(name, reply.status, {b"content-type": kind}, data)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_the_last_words_come_back(dialect: Dialect, stream: bool) -> None:
    answer = await said(dialect, "one  two three", stream=stream)
    assert answer.text == "echo: one  two three"
    assert answer.ended == stream


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_nothing_said_is_a_greeting(dialect: Dialect) -> None:
    assert (await said(dialect, " ", stream=False)).text == GREETING


async def test_a_stream_has_an_event_for_each_word() -> None:
    answer = await said(CHAT, "a b c d", stream=True)
    assert sum(b'"content":"' in frame.data for frame in answer.frames) >= 4


async def test_a_closed_stream_says_no_more() -> None:
    echo = Echo(prefix="")
    echo.bind("echo", runtime())
    call = calls.make_call({"stream": True}, targets=(Target("echo", "m", echo.dialects),))
    reply = await echo(call)
    assert isinstance(reply.body, Stream)
    assert await reply.body.read()
    await reply.aclose()
    assert await reply.body.read() == b""
