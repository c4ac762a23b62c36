"""A converted stream reads the same however the upstream frames and cuts it."""

import random

import pytest
from httpx2 import Client as Http

from tests.fakes.upstream import SSE, Json
from tests.sdk.answers import (
    begun,
    chat,
    chat_stream,
    encoded,
    message_stream,
    text,
    use,
)
from tests.sdk.clients import Which, connected
from tests.sdk.stage import SdkGateway

BOM = b"\xef\xbb\xbf"
WORDS = "naïve 😀 \u2028 a\nb"
TOLD = {
    "messages": b"".join(message_stream(text(WORDS), use("toolu_1", "f", {"a": 1}))),
    "chat": b"".join(chat_stream({"content": WORDS}, begun(0, "call_1", "f", '{"a":1}'))),
}
crossed = pytest.mark.parametrize(
    ("which", "speaks"), [("openai", "messages"), ("anthropic", "chat")], ids=str
)


@crossed
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_a_stream_of_single_bytes_is_read(
    stage: SdkGateway, which: Which, speaks: str, newline: bytes
) -> None:
    told = BOM + TOLD[speaks].replace(b"\n", newline)
    stage.play(SSE([told[at : at + 1] for at in range(len(told))]))
    with connected(which, stage) as client:
        assert client.gather(f"{speaks}:m") == WORDS


@crossed
@pytest.mark.parametrize("seed", range(3))
def test_a_stream_cut_at_random_is_read(
    stage: SdkGateway, which: Which, speaks: str, seed: int
) -> None:
    told, dice = TOLD[speaks].replace(b"\n", b"\r\n"), random.Random(seed)
    places = sorted(dice.sample(range(1, len(told)), 40))
    stage.play(SSE([told[a:b] for a, b in zip([0, *places], [*places, len(told)], strict=True)]))
    with connected(which, stage) as client:
        assert client.gather(f"{speaks}:m") == WORDS


@crossed
def test_a_stream_without_its_last_blank_line_is_read(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    stage.play(SSE([TOLD[speaks].rstrip(b"\n")]))
    with connected(which, stage) as client:
        assert client.gather(f"{speaks}:m") == WORDS


@crossed
def test_comments_and_unknown_lines_are_passed_over(
    stage: SdkGateway, which: Which, speaks: str
) -> None:
    noise = b": keep-alive\n\nid: 7\nretry: 1000\n\n"
    stage.play(SSE([noise, TOLD[speaks].replace(b"\ndata: ", b"\ndata:"), noise]))
    with connected(which, stage) as client:
        assert client.gather(f"{speaks}:m") == WORDS


def test_half_a_surrogate_pair_is_replaced_where_it_is_converted(stage: SdkGateway) -> None:
    stage.play(Json(chat()))
    asked = encoded(
        {"model": "chat:m", "max_tokens": 9, "messages": [{"role": "user", "content": "HALF"}]}
    ).replace(b"HALF", rb"a\ud83d")
    headers = {"x-api-key": stage.key}
    with Http(base_url=stage.url, headers=headers, timeout=20) as client:
        assert client.post("/v1/messages", content=asked).status_code == 200
    assert stage.body()["messages"] == [{"role": "user", "content": "a\ufffd"}]
