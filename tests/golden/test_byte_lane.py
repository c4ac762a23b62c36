"""Where client and upstream speak one dialect, bytes pass: all of them, however they arrive."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from httpx2 import Client

from gateway.call import Record
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.dialects.responses.same_dialect import ResponsesRelay
from gateway.lanes.relay import Relay
from tests.fakes.upstream import SSE, Chunk, Dribble, Head, Json, Script
from tests.sdk.stage import SdkGateway

FILES = Path(__file__).parent / "byte_lane"
UNCOUNTED, COUNTED = b'{"brand_new":1.0}', b'{"brand_new":1.0,"include_usage":true}'
PATHS = {
    "chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses",
}  # fmt: skip
RELAYS: dict[str, Callable[[], Relay]] = {
    "chat": lambda: Relay(CHAT, Record(0.0)), "messages": lambda: Relay(MESSAGES, Record(0.0)),
    "responses": lambda: ResponsesRelay(RESPONSES, Record(0.0)),
}  # fmt: skip
each_dialect = pytest.mark.parametrize("dialect", PATHS)
each_framing = pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])


def golden(name: str) -> bytes:
    """A golden file's bytes."""
    return (FILES / name).read_bytes()


@pytest.fixture
def client(stage: SdkGateway) -> Iterator[Client]:
    """A client without opinions."""
    headers = {"authorization": f"Bearer {stage.key}", "content-type": "application/json"}
    with Client(base_url=stage.url, headers=headers, timeout=20) as opened:
        yield opened


def streamed(dialect: str) -> bytes:
    """The golden request, asking for a stream; one of Chat asks for the usage too."""
    asked = golden(f"{dialect}.request.json")[:-1] + b',"stream":true}'
    return asked.replace(UNCOUNTED, COUNTED)


def cuts(whole: bytes, seed: int) -> list[bytes]:
    """The bytes in pieces of random sizes."""
    dice = random.Random(seed)
    pieces, at = [], 0
    while at < len(whole):
        size = dice.choice((1, 2, 3, 7, 50, 400))
        pieces.append(whole[at : at + size])
        at += size
    return pieces


@each_dialect
def test_the_upstream_gets_the_clients_bytes_but_for_the_model(
    stage: SdkGateway, client: Client, dialect: str
) -> None:
    for asked in (golden(f"{dialect}.request.json"), streamed(dialect)):
        stage.play(Json(golden(f"{dialect}.answer.json")))
        client.post(PATHS[dialect], content=asked)
        model = f'"model":"{dialect}:real"'.encode()
        assert asked.count(model) == 1
        assert stage.received().body == asked.replace(model, b'"model":"real"')


@each_dialect
@pytest.mark.parametrize("way", ["whole", "dribbled", "chunked", "cut at random"])
def test_the_client_gets_the_bytes_of_an_answer(
    stage: SdkGateway, client: Client, dialect: str, way: str
) -> None:
    answer = golden(f"{dialect}.answer.json")
    kind = ("content-type", "application/json")
    chunked = Head(200, [kind, ("transfer-encoding", "chunked")])
    scripts: dict[str, Script] = {
        "whole": Json(answer),
        "dribbled": [Head(200, [kind, ("content-length", str(len(answer)))]), Dribble(answer)],
        "chunked": [chunked, Chunk(answer), Chunk()],
        "cut at random": [chunked, *(Chunk(piece) for piece in cuts(answer, 1)), Chunk()],
    }
    stage.play(scripts[way])
    response = client.post(PATHS[dialect], content=golden(f"{dialect}.request.json"))
    assert response.status_code == 200
    assert response.content == answer


@each_dialect
@each_framing
def test_the_client_gets_the_bytes_of_a_stream(
    stage: SdkGateway, client: Client, dialect: str, newline: bytes
) -> None:
    told = golden(f"{dialect}.stream.sse").replace(b"\n", newline)
    stage.play(SSE([told]))
    assert client.post(PATHS[dialect], content=streamed(dialect)).content == told


@each_dialect
@each_framing
def test_a_stream_of_single_bytes_is_the_same(
    stage: SdkGateway, client: Client, dialect: str, newline: bytes
) -> None:
    told = golden(f"{dialect}.stream.sse").replace(b"\n", newline)
    stage.play(SSE([told[at : at + 1] for at in range(len(told))]))
    assert client.post(PATHS[dialect], content=streamed(dialect)).content == told


@each_dialect
@each_framing
@pytest.mark.parametrize("seed", range(5))
def test_a_stream_cut_at_random_is_the_same(
    stage: SdkGateway, client: Client, dialect: str, newline: bytes, seed: int
) -> None:
    told = golden(f"{dialect}.stream.sse").replace(b"\n", newline)
    stage.play(SSE(cuts(told, seed)))
    assert client.post(PATHS[dialect], content=streamed(dialect)).content == told


@each_framing
@pytest.mark.parametrize("seed", [None, *range(5)])
def test_the_usage_that_the_gateway_asks_for_goes_no_further(
    stage: SdkGateway, client: Client, newline: bytes, seed: int | None
) -> None:
    told = golden("chat.stream.sse").replace(b"\n", newline)
    before, done, after = told.rpartition(b"data: [DONE]")
    extra = b'data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":3}}' + newline * 2
    sent = before + extra + done + after
    stage.play(SSE([sent] if seed is None else cuts(sent, seed)))
    asked = streamed("chat").replace(COUNTED, UNCOUNTED)
    response = client.post(PATHS["chat"], content=asked)
    assert response.content == told
    model = b'"model":"chat:real"'
    assert stage.received().body == streamed("chat").replace(model, b'"model":"real"')


@each_dialect
@each_framing
def test_an_event_is_passed_on_with_its_last_byte(dialect: str, newline: bytes) -> None:
    blank = newline + newline
    events = golden(f"{dialect}.stream.sse").replace(b"\n", newline).split(blank)[:-1]
    relay = RELAYS[dialect]()
    for event in events:
        whole = event + blank
        told = [relay.feed(whole[at : at + 1]) for at in range(len(whole))]
        assert told == [b""] * (len(whole) - 1) + [whole]
    assert relay.finish() == b""
    assert relay.error is None


@each_dialect
def test_an_error_keeps_its_bytes(stage: SdkGateway, client: Client, dialect: str) -> None:
    told = b'{"error": {"message":"caf\\u00e9","type":"brand_new","code":1e3}, "x":1.0}'
    stage.play(Json(told, status=418))
    response = client.post(PATHS[dialect], content=golden(f"{dialect}.request.json"))
    assert (response.status_code, response.content) == (418, told)


@each_dialect
def test_half_a_surrogate_pair_passes(stage: SdkGateway, client: Client, dialect: str) -> None:
    asked = golden(f"{dialect}.request.json").replace(rb"\ud83d\ude00", rb"\ud83d")
    stage.play(Json(golden(f"{dialect}.answer.json")))
    response = client.post(PATHS[dialect], content=asked)
    assert response.status_code == 200
    model = f'"model":"{dialect}:real"'.encode()
    assert stage.received().body == asked.replace(model, b'"model":"real"')
