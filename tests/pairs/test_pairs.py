"""Every dialect before every other: the same things are asked, said and refused in all of them."""

import itertools

import anthropic
import openai
import pytest
from msgspec import Struct

from gateway.errors import Unreachable
from providers.transport.engine import Response
from tests.faults.engines import answer
from tests.pairs.house import PairGateway, told
from tests.pairs.rows import ROWS
from tests.pairs.said import Ask, Called, Heard, HeardFault, ModelAnswer, Row
from tests.sdk.answers import PNG

FAULTS = (openai.APIError, anthropic.APIError, HeardFault)
OSLO = Called("call_1", "get_weather", '{"city":"Oslo"}')
ROME = Called("call_2", "get_time", '{"city":"Rome","deep":{"a":[1,2.5,null]}}')
BARE = Called("call_3", "get_time", "{}")


class PairCase(Struct, frozen=True):
    """What a client asks and an upstream says."""

    name: str
    said: ModelAnswer
    ask: Ask = Ask()


SCENES = [
    PairCase("text", ModelAnswer("Grüße, 世界 🌍!\u2028\n\"quoted\" \\ \x7f")),
    PairCase("length", ModelAnswer("half an ans", stop="length")),
    PairCase("tools", ModelAnswer(calls=(OSLO,), stop="tools"), Ask(tools=("get_weather",))),
    PairCase("a call alone", ModelAnswer(calls=(BARE,), stop="tools"), Ask(tools=("get_time",))),
    PairCase(
        "parallel tools",
        ModelAnswer("Let me see.", calls=(OSLO, ROME, BARE), stop="tools"),
        Ask(tools=("get_weather", "get_time")),
    ),
    PairCase(
        "results",
        ModelAnswer("Both are sunny."),
        Ask(
            system="Be brief.", tools=("get_weather", "get_time"), calls=(OSLO, ROME),
            results=(("call_1", "sunny"), ("call_2", "sunny too")),
        ),
    ),
    PairCase("image", ModelAnswer("A dot."), Ask(images=(PNG,))),
    PairCase("thinking", ModelAnswer("42", thinking="Six times seven."), Ask(thinks=True)),
    PairCase("refusal", ModelAnswer(refusal="I will not.", stop="refusal")),
]  # fmt: skip
PAIRS = [
    pytest.param(client, upstream, id=f"{client.name}-{upstream.name}")
    for client, upstream in itertools.product(ROWS, ROWS)
]
each_pair = pytest.mark.parametrize(("client", "upstream"), PAIRS)
each_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
each_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def response(upstream: Row, said: ModelAnswer, *, stream: bool) -> Response:
    """An upstream's answer, each event of a stream a chunk of its own."""
    return told(upstream.stream(said)) if stream else answer(upstream.whole(said))


@each_pair
@each_scene
@each_way
async def test_what_is_said_is_heard(
    house: PairGateway, client: Row, upstream: Row, scene: PairCase, stream: bool
) -> None:
    said = response(upstream, scene.said, stream=stream)
    heard = await house.ask(client, upstream, scene.ask, said, stream=stream)
    assert heard.status == 200, heard.body
    assert heard.stream == stream
    got = client.hear(heard)
    if scene.said.refusal:  # told in a member of its own, in the text, or in both
        assert got.stop == "refusal"
        assert scene.said.refusal in got.text + got.refusal
    else:
        assert got == scene.said
    assert house.asked(upstream) == scene.ask


LIMITED = (openai.RateLimitError, anthropic.RateLimitError, HeardFault)


@each_pair
@each_way
async def test_an_error_before_the_answer_is_a_status(
    house: PairGateway, client: Row, upstream: Row, stream: bool
) -> None:
    refused = answer(upstream.fault(), 429, [(b"retry-after", b"7")])
    heard = await house.ask(client, upstream, Ask(), refused, stream=stream)
    assert (heard.status, heard.headers["retry-after"]) == (429, "7")
    with pytest.raises(LIMITED, match="Slow down"):
        client.hear(heard)


@each_pair
async def test_an_error_as_the_first_event_is_a_status(
    house: PairGateway, client: Row, upstream: Row
) -> None:
    heard = await house.ask(client, upstream, Ask(), told([upstream.fault_event()]), stream=True)
    assert heard.status == 429
    with pytest.raises(LIMITED, match="Slow down"):
        client.hear(heard)


@each_pair
@each_way
async def test_no_connection_is_a_bad_gateway(
    house: PairGateway, client: Row, upstream: Row, stream: bool
) -> None:
    heard = await house.ask(client, upstream, Ask(), Unreachable("no route"), stream=stream)
    assert heard.status == 502
    fails(client, heard)


LONG = ModelAnswer(
    "Let me see whether this is so.", thinking="Hm. Well.", calls=(OSLO, ROME), stop="tools"
)


def fails(client: Row, heard: Heard) -> None:
    """The client's own fault is raised: half an answer is never taken for a whole one."""
    assert b"the gateway failed" not in heard.body
    with pytest.raises(FAULTS):
        client.hear(heard)


@each_pair
async def test_an_error_inside_a_stream_is_raised_wherever_it_comes(
    house: PairGateway, client: Row, upstream: Row
) -> None:
    frames = upstream.stream(LONG)
    for at in range(1, len(frames) - 2):
        pieces = [*frames[:at], upstream.fault_event()]
        heard = await house.ask(client, upstream, Ask(), told(pieces), stream=True)
        fails(client, heard)
        assert heard.body.count(b"Slow down") == 1


@each_pair
@pytest.mark.parametrize("cut", [False, True], ids=["closed", "reset"])
async def test_a_stream_that_stops_early_is_an_error_wherever_it_stops(
    house: PairGateway, client: Row, upstream: Row, cut: bool
) -> None:
    frames = upstream.stream(LONG)
    last = next(at for at, frame in enumerate(frames) if upstream.ends(frame))
    for at in range(last):
        heard = await house.ask(client, upstream, Ask(), told(frames[:at], cut=cut), stream=True)
        fails(client, heard)


JSON = [(b"content-type", b"application/json")]
NONSENSE = {
    "nothing": b"",
    "a page": b"<html><body>502 Bad Gateway</body></html>",
    "bytes": bytes(range(256)),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "a list": b"[]",
    "a text": b'"hello"',
    "null": b"null",
    "half an object": b'{"id": "x", "choices": [{"mess',
    "half a surrogate": b'"\\ud83d"',
    "no UTF-8": b'{"id": "\xff\xfe"',
    "deep": b"[" * 100_000,
    "no number": b'{"a": NaN',
}


@each_pair
@each_way
@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
async def test_an_answer_that_is_none_is_a_bad_gateway(
    house: PairGateway, client: Row, upstream: Row, body: bytes, stream: bool
) -> None:
    heard = await house.ask(client, upstream, Ask(), answer(body), stream=stream)
    assert heard.status == 502
    fails(client, heard)


@each_pair
@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
async def test_an_error_that_is_no_json_is_told_in_the_clients_words(
    house: PairGateway, client: Row, upstream: Row, body: bytes
) -> None:
    for status in (400, 404, 418, 500, 503, 529):
        heard = await house.ask(client, upstream, Ask(), answer(body, status), stream=False)
        assert heard.status == status or {heard.status, status} == {503, 529}
        fails(client, heard)


@each_pair
@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_for_a_stream_is_an_error(
    house: PairGateway, client: Row, upstream: Row, body: bytes
) -> None:
    heard = await house.ask(client, upstream, Ask(), told([body]), stream=True)
    fails(client, heard)


CROSSED = [param for param in PAIRS if param.values[0] is not param.values[1]]


@pytest.mark.parametrize(("client", "upstream"), CROSSED)
@pytest.mark.parametrize("data", [b"{", b"nonsense", b"[]", b"17", b'"x"', b"\xff", b'{"a":'])
async def test_an_event_that_is_none_ends_the_stream_with_an_error(
    house: PairGateway, client: Row, upstream: Row, data: bytes
) -> None:
    first, *frames = upstream.stream(LONG)
    broken = first.rpartition(b"data: ")[0] + b"data: " + data + b"\n\n"
    heard = await house.ask(client, upstream, Ask(), told([first, broken, *frames]), stream=True)
    fails(client, heard)


@pytest.mark.parametrize(("client", "upstream"), CROSSED)
async def test_a_text_that_is_not_utf_8_ends_the_stream_with_an_error(
    house: PairGateway, client: Row, upstream: Row
) -> None:
    frames = [frame.replace(b"Let", b"L\xfft") for frame in upstream.stream(LONG)]
    heard = await house.ask(client, upstream, Ask(), told(frames), stream=True)
    fails(client, heard)
