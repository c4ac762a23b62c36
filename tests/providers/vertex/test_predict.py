import msgspec
import pytest

from gateway.config.schema import Timeouts
from gateway.errors import Cut, Unavailable
from providers.transport.credential_cache import CredentialCache, CredentialLease
from providers.transport.engine import Request, Response
from providers.vertex.predict import VertexEngine
from tests.faults.engines import Chunks, FakeEngine

REQUEST = Request(b"/projects/p", b"{}", headers=[(b"anthropic-beta", b"a")])
JSON = (b"content-type", b"application/json; charset=UTF-8")
RETRY = (b"retry-after", b"7")


def answered(status: int, body: object = None) -> Response:
    """An answer of Google's."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body or {})
    return Response(status, [JSON, (b"content-length", b"9"), RETRY], Chunks(raw))


def tokens(newer: str = "new") -> CredentialCache[str]:
    """A token with a successor."""
    return CredentialCache(lambda refused: CredentialLease(newer if refused else "old"))


def sent(engine: FakeEngine) -> list[bytes | None]:
    """The credential of each request."""
    return [dict(request.headers).get(b"authorization") for request in engine.sent]


async def test_each_request_carries_the_token() -> None:
    inner = FakeEngine(answered(200, {"a": 1}))
    response = await VertexEngine(inner, tokens()).send(REQUEST, Timeouts())
    assert await response.body.read() == b'{"a":1}'
    assert inner.sent[0].headers == [*REQUEST.headers, (b"authorization", b"Bearer old")]


async def test_with_a_token_of_their_own_requests_are_left_alone() -> None:
    inner = FakeEngine(answered(200))
    await VertexEngine(inner, None).send(REQUEST, Timeouts())
    assert inner.sent == [REQUEST]


async def test_a_refused_token_is_replaced_once() -> None:
    refused = answered(401, {"error": {"status": "UNAUTHENTICATED", "message": "old"}})
    inner = FakeEngine(refused, answered(200))
    response = await VertexEngine(inner, tokens()).send(REQUEST, Timeouts())
    assert response.status == 200
    assert sent(inner) == [b"Bearer old", b"Bearer new"]
    assert isinstance(refused.body, Chunks)
    assert refused.body.closed


async def test_no_newer_token_no_second_try() -> None:
    inner = FakeEngine(answered(401, {"error": {"status": "UNAUTHENTICATED"}}))
    response = await VertexEngine(inner, tokens("old")).send(REQUEST, Timeouts())
    assert response.status == 401
    assert len(inner.sent) == 1


async def test_without_a_token_nothing_is_sent() -> None:
    def fetch(refused: bool) -> CredentialLease[str]:
        raise Unavailable("none")

    inner = FakeEngine(answered(200))
    with pytest.raises(Unavailable):
        await VertexEngine(inner, CredentialCache(fetch)).send(REQUEST, Timeouts())
    assert inner.sent == []


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_ARGUMENT", "invalid_request_error"),
        (400, "FAILED_PRECONDITION", "invalid_request_error"),
        (403, "PERMISSION_DENIED", "permission_error"),
        (404, "NOT_FOUND", "not_found_error"),
        (429, "RESOURCE_EXHAUSTED", "rate_limit_error"),
        (503, "UNAVAILABLE", "api_error"),
        (504, "DEADLINE_EXCEEDED", "timeout_error"),
        (500, "SOMETHING_NEW", "api_error"),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
async def test_googles_errors_are_told_in_the_words_of_messages(
    status: int, code: str, kind: str, listed: bool
) -> None:
    error = {"error": {"code": status, "message": "so it is", "status": code, "details": [{}]}}
    inner = FakeEngine(answered(status, [error] if listed else error))
    response = await VertexEngine(inner, None).send(REQUEST, Timeouts())
    assert response.status == status
    assert response.headers == [(b"content-type", b"application/json"), RETRY]
    assert msgspec.json.decode(await response.body.read()) == {
        "type": "error", "error": {"type": kind, "message": "so it is"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"error","error":{"type":"invalid_request_error","message":"x"}}',
        b"<html>", b"[]", b"[1]", b'{"error":"x"}', b"", b"7",
    ],
)  # fmt: skip
async def test_other_errors_are_left_as_they_are(body: bytes) -> None:
    inner = FakeEngine(answered(400, body))
    response = await VertexEngine(inner, None).send(REQUEST, Timeouts())
    assert JSON in response.headers
    assert await response.body.read() == body


async def test_the_words_may_be_missing() -> None:
    inner = FakeEngine(answered(500, {"error": {"status": "INTERNAL"}}))
    response = await VertexEngine(inner, None).send(REQUEST, Timeouts())
    assert msgspec.json.decode(await response.body.read())["error"]["message"] == "INTERNAL"


async def test_the_rest_is_the_inner_engines() -> None:
    inner = FakeEngine(Cut("gone"))
    engine = VertexEngine(inner, None)
    with pytest.raises(Cut):
        await engine.send(REQUEST, Timeouts())
    assert engine.stats() == inner.stats()
    await engine.aclose()
    assert inner.closed
