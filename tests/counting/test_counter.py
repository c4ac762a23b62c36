from time import monotonic
from typing import Any

import msgspec
import pytest

from gateway.call import Call, Target
from gateway.counting import counter
from gateway.counting.counter import TokenCounter
from gateway.counting.dialects import MESSAGES_COUNTING
from gateway.counting.texts import PIECE_CHARS, count_by_script
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.errors import GatewayError, InvalidRequest, Unauthenticated, UpstreamTimeout
from gateway.plugin import Provider
from gateway.reply import Reply, Stream
from gateway.wire.raw_json import split_object
from tests.fakes.calls import make_call, make_reply, make_target, runtime
from tests.faults.engines import Chunks


class Scripted(Provider):
    """A provider that counts as it is told."""

    answer: Any = None
    asked: int = 0

    async def count(self, call: Call) -> Reply | None:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        found: Reply | None = self.answer
        return found


def counting(answer: object = None) -> tuple[TokenCounter, Scripted, Call]:
    provider = Scripted(answer=answer)
    asked = make_call(dialect=MESSAGES_COUNTING, targets=(make_target("up", "m", MESSAGES),))
    return TokenCounter(runtime(providers={"up": provider})), provider, asked


async def tokens(counted: TokenCounter, asked: Call) -> int:
    reply = await counted(asked)
    assert reply.headers == [(b"x-gateway-estimate", b"1")]
    assert isinstance(reply.body, bytes)
    return int(msgspec.json.decode(reply.body)["input_tokens"])


async def test_a_call_that_nothing_routed_is_a_fault_of_the_chain() -> None:
    counted, _, _ = counting()
    with pytest.raises(GatewayError, match="no middleware routed the call"):
        await counted(make_call(dialect=MESSAGES_COUNTING))


async def test_a_provider_without_counting_is_estimated() -> None:
    counted, provider, asked = counting()
    assert await tokens(counted, asked) == 9
    assert await tokens(counted, asked) == 9
    assert provider.asked == 2


async def test_a_stream_is_no_count_and_is_closed() -> None:
    source = Chunks(b"data: {}\n\n")
    counted, _, asked = counting(Reply(200, MESSAGES_COUNTING, Stream(source)))
    assert await tokens(counted, asked) == 9
    assert source.closed == 1


async def test_a_timeout_of_the_provider_is_estimated() -> None:
    counted, _, asked = counting(UpstreamTimeout("idle", 1))
    assert await tokens(counted, asked) == 9


async def test_a_key_that_the_client_has_to_bring_is_asked_for() -> None:
    counted, _, asked = counting(Unauthenticated("bring one"))
    with pytest.raises(Unauthenticated):
        await counted(asked)


async def test_how_many_absences_are_remembered_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counter, "_MAX_REMEMBERED", 1)
    missing = GatewayError("no such path", status=404)
    counted, provider, asked = counting(Reply(404, MESSAGES_COUNTING, b"{}", [], missing))
    await tokens(counted, asked)
    await tokens(counted, asked)
    assert provider.asked == 1
    other = asked.routed(make_target("up", "other", MESSAGES))
    await tokens(counted, other)
    await tokens(counted, asked)
    assert provider.asked == 3


async def test_an_absence_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = GatewayError("no such path", status=404)
    counted, provider, asked = counting(Reply(404, MESSAGES_COUNTING, b"{}", [], missing))
    await tokens(counted, asked)
    later = monotonic() + counter.ABSENT_SECONDS + 1
    monkeypatch.setattr(counter, "monotonic", lambda: later)
    await tokens(counted, asked)
    assert provider.asked == 2


async def test_a_body_that_is_not_utf_8_is_refused() -> None:
    counted, _, asked = counting()
    body = b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}'
    with pytest.raises(InvalidRequest, match="not UTF-8"):
        await counted(asked.in_dialect(MESSAGES_COUNTING, split_object(body)))


def learnt(counted: TokenCounter) -> list[str]:
    """The models whose calls are learned from."""
    return [model for _, model in counted._due]


async def test_how_many_pairs_are_learned_from_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter, "_MAX_REMEMBERED", 2)
    counted, _, asked = counting()
    for model in ("a", "b", "b", "c"):
        await tokens(counted, asked.routed(make_target("up", model, MESSAGES)))
    assert learnt(counted) == ["b", "c"]


async def passed(counted: TokenCounter, real: Call) -> int:
    """How many samples a real call has set off."""

    async def last(call: Call) -> Reply:
        return make_reply()

    await counted.wrap_sampling(last)(real)
    return len(counted._samples)


async def test_only_pairs_that_were_estimated_are_learned_from_and_seldom() -> None:
    counted, _, asked = counting()
    real = make_call(targets=(make_target("up", "m"),))
    assert await passed(counted, real) == 0
    await tokens(counted, asked)
    assert await passed(counted, make_call()) == 0  # nobody routed it
    assert await passed(counted, make_call(targets=(make_target("up", "other"),))) == 0
    assert await passed(counted, real) == 1
    assert await passed(counted, real) == 1  # a pause is due


async def test_calls_of_great_size_are_not_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter, "MAX_SAMPLE_BYTES", 10)
    counted, _, asked = counting()
    await tokens(counted, asked)
    assert await passed(counted, make_call(targets=(make_target("up", "m"),))) == 0


async def test_a_call_that_cannot_be_read_teaches_nothing() -> None:
    counted, _, asked = counting()
    await tokens(counted, asked)
    bad = make_call({"messages": [{"role": "nobody"}]}, targets=(Target("up", "m", (CHAT,)),))
    assert await passed(counted, bad) == 1
    (future,) = counted._samples
    with pytest.raises(InvalidRequest):
        await future
    assert counted._calibration._waiting == []
    assert not counted._samples


def test_a_long_text_is_counted_by_script_in_pieces() -> None:
    assert count_by_script("a" * PIECE_CHARS * 2) == pytest.approx(
        2 * count_by_script("a" * PIECE_CHARS)
    )
