from time import monotonic

import pytest
from hypothesis import given, strategies as st

from gateway.call import Headers, Record
from gateway.dialects.chat import CHAT
from gateway.edge.headers import COMPATIBILITY, STREAM, error_headers, reply_head, request_id
from gateway.errors import GatewayError, MethodNotAllowed, Refused
from gateway.reply import Reply


def record(**members: object) -> Record:
    made = Record(monotonic())
    for name, value in members.items():
        setattr(made, name, value)
    return made


def values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


@pytest.mark.parametrize("given_id", [b"a", b"req_1.2-3", b"x" * 128])
def test_a_sane_request_id_is_kept(given_id: bytes) -> None:
    assert request_id([(b"x-request-id", given_id)]) == given_id.decode()


@pytest.mark.parametrize("given_id", [b"", b"a b", b"a\r\nb", b"x" * 129, b"\xff", b"a\n"])
def test_another_request_id_is_made_anew(given_id: bytes) -> None:
    made = request_id([(b"x-request-id", given_id)])
    assert made.startswith("req_")
    assert len(made) == 28
    assert made != request_id([])


@given(text=st.text(max_size=300))
def test_no_name_of_a_provider_or_model_breaks_the_head(text: str) -> None:
    made = record(provider="p", model=text, upstream_id=text, warnings=[text, text])
    error = GatewayError("x")
    for head in (reply_head("i", made, None), error_headers("i", made, error, 1)):
        for _, value in head:
            assert all(0x20 <= byte < 0x7F for byte in value)
            assert len(value) <= 2000


def test_the_head_of_an_answer() -> None:
    made = record(provider="p", model="m", upstream_id="u", warnings=["a", "b"])
    reply = Reply(200, CHAT, b"{}", [(b"content-type", b"application/json; charset=utf-8")])
    head = reply_head("i", made, reply)
    assert [name for name, _ in head] == [
        b"x-request-id", b"request-id", b"x-processing-time", b"server-timing",
        *(name for name, _ in COMPATIBILITY), b"x-gateway-provider", b"x-gateway-model",
        b"x-upstream-request-id", b"content-type",
        b"x-gateway-warnings", b"content-length",
    ]  # fmt: skip
    assert values(head, b"x-gateway-warnings") == [b"a, b"]
    assert values(head, b"content-length") == [b"2"]


def test_an_answer_without_a_content_type_is_json() -> None:
    head = reply_head("i", record(), Reply(200, CHAT, b"{}"))
    assert values(head, b"content-type") == [b"application/json"]


def test_a_stream_opened_before_its_answer_has_a_streams_head() -> None:
    assert reply_head("i", record(), None)[-len(STREAM) :] == STREAM


def test_what_the_gateway_says_of_a_retry_replaces_what_the_upstream_said() -> None:
    error = Refused("no", status=500)
    error.should_retry = False
    reply = Reply(500, CHAT, b"{}", [(b"x-should-retry", b"true")], error)
    assert values(reply_head("i", record(), reply), b"x-should-retry") == [b"false"]
    error.should_retry = None
    assert values(reply_head("i", record(), reply), b"x-should-retry") == [b"true"]


@pytest.mark.parametrize(
    ("seconds", "whole", "ms"),
    [(0.0, b"0", b"0"), (-3.0, b"0", b"0"), (0.2, b"1", b"200"), (2.0, b"2", b"2000")],
)
def test_a_wait_is_told_in_whole_seconds_rounded_up_and_in_ms(
    seconds: float, whole: bytes, ms: bytes
) -> None:
    error = GatewayError("x")
    error.retry_after = seconds
    head = error_headers("i", record(), error, 1)
    assert (values(head, b"retry-after"), values(head, b"retry-after-ms")) == ([whole], [ms])


def test_a_wait_that_stood_in_an_upstreams_body_is_told_unless_its_headers_told_it() -> None:
    error = Refused("no", status=429)
    error.retry_after = 34.5
    head = reply_head("i", record(), Reply(429, CHAT, b"{}", [], error))
    assert values(head, b"retry-after") == [b"35"]
    assert values(head, b"retry-after-ms") == [b"34500"]
    head = reply_head("i", record(), Reply(429, CHAT, b"{}", [(b"retry-after", b"7")], error))
    assert values(head, b"retry-after") == [b"7"]
    assert values(head, b"retry-after-ms") == []


def test_an_error_tells_its_retry_only_where_it_knows() -> None:
    error = GatewayError("x")
    assert values(error_headers("i", record(), error, 1), b"x-should-retry") == []
    error.should_retry = True
    assert values(error_headers("i", record(), error, 1), b"x-should-retry") == [b"true"]


def test_405_names_the_method() -> None:
    assert values(error_headers("i", record(), MethodNotAllowed("x"), 1), b"allow") == [b"POST"]
