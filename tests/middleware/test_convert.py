"""The lanes of `convert`, with the real dialects and answers that are no network's."""

from typing import Any

import msgspec
import pytest

from gateway.call import Call, Target
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.errors import BadAnswer, Cut, GatewayError, InvalidRequest, Refused
from gateway.reply import Reply, Stream
from middleware.convert import Convert
from tests.fakes import calls
from tests.faults.engines import Chunks
from tests.faults.wires import TEXT, Answer, Dialect as Name, fault, stream, whole

DIALECTS: dict[Name, Dialect] = {"chat": CHAT, "messages": MESSAGES}
CROSSED: list[tuple[Name, Name]] = [("chat", "messages"), ("messages", "chat")]
SAME: list[tuple[Name, Name]] = [("chat", "chat"), ("messages", "messages")]


class Upstream:
    """The rest of the chain: keeps the call, gives the reply."""

    def __init__(self, name: Name, body: bytes | Chunks, status: int = 200, **more: Any) -> None:
        self.calls: list[Call] = []
        self._reply = Reply(
            status, DIALECTS[name], Stream(body) if isinstance(body, Chunks) else body, **more
        )

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        return self._reply


async def converted(
    ours: Name, theirs: Name, upstream: Upstream, *, strict: bool = False, **more: Any
) -> tuple[Answer, Call]:
    """What a client of one dialect gets, and its call."""
    link = Convert()
    link.bind(calls.runtime(strict=strict))
    body: dict[str, Any] = {"max_tokens": 9} if ours == "messages" else {}
    target = Target("p", "theirs", (DIALECTS[theirs],))
    call = calls.make_call(body | more, dialect=DIALECTS[ours], targets=(target,))
    reply = await link(call, upstream)
    assert reply.dialect is DIALECTS[ours]
    kind = b"application/json"
    if isinstance(reply.body, Stream):
        kind = b"text/event-stream"
        try:
            data = b"".join([chunk async for chunk in reply.body])
        finally:
            await reply.aclose()
    else:
        data = reply.body
    return Answer(ours, reply.status, {b"content-type": kind, **dict(reply.headers)}, data), call


@pytest.mark.parametrize(("ours", "theirs"), SAME)
async def test_the_same_dialect_is_left_alone_but_for_the_model(ours: Name, theirs: Name) -> None:
    upstream = Upstream(theirs, whole(theirs))
    answer, call = await converted(ours, theirs, upstream)
    assert answer.body == whole(theirs)
    (sent,) = upstream.calls
    assert sent.dialect is call.dialect
    assert bytes(sent.fields["model"]) == b'"theirs"'
    assert {k: bytes(v) for k, v in sent.fields.items() if k != "model"} == {
        k: bytes(v) for k, v in call.fields.items() if k != "model"
    }


@pytest.mark.parametrize(("ours", "theirs"), SAME)
async def test_a_stream_of_the_same_dialect_is_relayed(ours: Name, theirs: Name) -> None:
    source = Chunks(*stream(theirs))
    answer, call = await converted(ours, theirs, Upstream(theirs, source), stream=True)
    assert answer.body == b"".join(stream(theirs))
    assert source.closed == 1
    if theirs == "messages":
        assert call.record.usage is not None


@pytest.mark.parametrize(("ours", "theirs"), CROSSED)
async def test_a_whole_answer_crosses(ours: Name, theirs: Name) -> None:
    upstream = Upstream(theirs, whole(theirs))
    answer, call = await converted(ours, theirs, upstream)
    assert (answer.status, answer.text) == (200, TEXT)
    assert msgspec.json.decode(answer.body)["model"] == "m"
    (sent,) = upstream.calls
    assert sent.dialect is DIALECTS[theirs]
    assert msgspec.json.decode(sent.encode())["model"] == "theirs"
    assert call.record.usage is not None
    assert (call.record.usage.input, call.record.usage.output) == (3, 2)
    assert call.record.convert > 0


@pytest.mark.parametrize(("ours", "theirs"), CROSSED)
async def test_a_stream_crosses_and_its_source_is_closed(ours: Name, theirs: Name) -> None:
    source = Chunks(*stream(theirs, "a", "b"))
    answer, _ = await converted(ours, theirs, Upstream(theirs, source), stream=True)
    assert (answer.text, answer.ended, answer.errors) == ("ab", True, [])
    assert source.closed == 1


@pytest.mark.parametrize(("ours", "theirs"), [*CROSSED, *SAME])
async def test_a_whole_answer_becomes_the_stream_that_was_asked_for(
    ours: Name, theirs: Name
) -> None:
    answer, _ = await converted(ours, theirs, Upstream(theirs, whole(theirs)), stream=True)
    assert (answer.streamed, answer.text, answer.ended) == (True, TEXT, True)


@pytest.mark.parametrize(("ours", "theirs"), CROSSED)
async def test_an_error_crosses_with_its_status(ours: Name, theirs: Name) -> None:
    error = Refused("slow down", status=429, kind="rate_limit_error")
    upstream = Upstream(theirs, fault(theirs), 429, error=error)
    answer, _ = await converted(ours, theirs, upstream)
    assert answer.told == (429, "rate_limit_error")
    assert answer.errors[0]["message"] == "slow down"


@pytest.mark.parametrize(("ours", "theirs"), [*CROSSED, *SAME])
async def test_a_stream_that_breaks_off_is_a_fault(ours: Name, theirs: Name) -> None:
    source = Chunks(*stream(theirs)[:2])
    with pytest.raises(Cut):
        await converted(ours, theirs, Upstream(theirs, source), stream=True)
    assert source.closed == 1


@pytest.mark.parametrize(("ours", "theirs"), CROSSED)
async def test_an_answer_that_is_none_is_a_fault(ours: Name, theirs: Name) -> None:
    with pytest.raises(BadAnswer):
        await converted(ours, theirs, Upstream(theirs, b'{"hello":1}'))


async def test_rate_limits_are_told_in_the_clients_words() -> None:
    headers = [(b"x-ratelimit-limit-requests", b"5"), (b"retry-after", b"1")]
    upstream = Upstream("chat", whole("chat"), headers=headers)
    answer, _ = await converted("messages", "chat", upstream)
    assert answer.headers[b"anthropic-ratelimit-requests-limit"] == b"5"
    assert answer.headers[b"retry-after"] == b"1"
    assert b"x-ratelimit-limit-requests" not in answer.headers


async def test_rate_limits_of_a_whole_answer_replayed_are_told_in_the_clients_words() -> None:
    headers = [(b"x-ratelimit-limit-requests", b"5")]
    upstream = Upstream("chat", whole("chat"), headers=headers)
    answer, _ = await converted("messages", "chat", upstream, stream=True)
    assert answer.headers[b"anthropic-ratelimit-requests-limit"] == b"5"


async def test_a_loss_is_a_warning_and_strictly_a_refusal() -> None:
    _, call = await converted("chat", "messages", Upstream("messages", whole("messages")), seed=1)
    assert any("seed" in entry for entry in call.record.warnings)
    upstream = Upstream("messages", whole("messages"))
    with pytest.raises(InvalidRequest, match="seed"):
        await converted("chat", "messages", upstream, strict=True, seed=1)
    assert upstream.calls == []


async def test_strictness_of_its_own_beats_the_servers() -> None:
    link = Convert(strict=False)
    link.bind(calls.runtime(strict=True))
    target = Target("p", "theirs", (MESSAGES,))
    call = calls.make_call({"seed": 1}, targets=(target,))
    assert (await link(call, Upstream("messages", whole("messages")))).status == 200


async def test_a_body_that_is_no_utf_8_is_refused_before_anybody_is_asked() -> None:
    link = Convert()
    link.bind(calls.runtime())
    call = calls.make_call(targets=(Target("p", "theirs", (MESSAGES,)),))
    bad = msgspec.Raw(b'[{"role":"user","content":"\xe9"}]')
    call = msgspec.structs.replace(call, fields=call.fields | {"messages": bad})
    upstream = Upstream("messages", whole("messages"))
    with pytest.raises(GatewayError) as caught:
        await link(call, upstream)
    assert caught.value.status == 400
    assert upstream.calls == []
