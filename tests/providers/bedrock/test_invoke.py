import msgspec
import pytest
from botocore.credentials import ReadOnlyCredentials

from gateway.config.schema import Timeouts
from gateway.errors import Cut
from providers.bedrock.invoke import BedrockEngine
from providers.bedrock.signing import RequestSigner
from providers.transport.credential_cache import CredentialCache, CredentialLease
from providers.transport.engine import Request, Response
from tests.faults.engines import Chunks, FakeEngine
from tests.providers.bedrock.frames import said, sse

OLD, NEW = (ReadOnlyCredentials(name, "x", None) for name in ("OLD", "NEW"))
REQUEST = Request(b"/model/m/invoke", b"{}")
JSON = (b"content-type", b"application/json")


def refusal(name: str, status: int = 403) -> Response:
    """An error of AWS's."""
    headers = [
        JSON, (b"content-length", b"17"), (b"x-amzn-errortype", name.encode()),
        (b"x-amzn-requestid", b"r-1"),
    ]  # fmt: skip
    return Response(status, headers, Chunks(b'{"message":"told"}'))


def whole(body: bytes = b"{}") -> Response:
    """An answer."""
    return Response(200, [JSON, (b"x-amzn-requestid", b"r-1")], Chunks(body))


def signer(newer: ReadOnlyCredentials = NEW) -> RequestSigner:
    """A signer whose credentials have a successor."""
    renewed = CredentialCache(lambda refused: CredentialLease(newer if refused else OLD))
    return RequestSigner(renewed, "bedrock", "us-east-1", "https://h")


def keys(engine: FakeEngine) -> list[str]:
    """Whose signature each request carried."""
    found = [dict(request.headers).get(b"authorization", b"-") for request in engine.sent]
    return [each.decode().partition("=")[2].partition("/")[0] for each in found]


async def test_an_answer_passes_with_awss_id_as_the_upstreams() -> None:
    inner = FakeEngine(whole(b'{"a":1}'))
    response = await BedrockEngine(inner, None).send(REQUEST, Timeouts())
    assert response.headers == [JSON, (b"request-id", b"r-1")]
    assert await response.body.read() == b'{"a":1}'
    assert keys(inner) == [""]


async def test_a_stream_becomes_server_sent_events() -> None:
    headers = [(b"content-type", b"application/vnd.amazon.eventstream"), (b"x-other", b"1")]
    inner = FakeEngine(Response(200, headers, Chunks(*said()), 0.5, 0.25))
    response = await BedrockEngine(inner, None).send(REQUEST, Timeouts())
    assert response.headers == [(b"content-type", b"text/event-stream"), (b"x-other", b"1")]
    assert (response.connect, response.queued) == (0.5, 0.25)
    assert b"".join([await response.body.read() for _ in said()]) == sse()


async def test_an_error_is_told_in_the_words_of_messages() -> None:
    inner = FakeEngine(refusal("ModelTimeoutException:http://x", 408))
    response = await BedrockEngine(inner, None).send(REQUEST, Timeouts())
    assert response.status == 504
    assert response.headers == [JSON, (b"request-id", b"r-1")]
    assert msgspec.json.decode(await response.body.read()) == {
        "type": "error", "error": {"type": "timeout_error", "message": "told"},
    }  # fmt: skip


async def test_a_page_of_a_proxy_is_left_as_it_is() -> None:
    html = (b"content-type", b"text/html")
    inner = FakeEngine(Response(502, [html], Chunks(b"<html>")))
    response = await BedrockEngine(inner, None).send(REQUEST, Timeouts())
    assert (response.status, response.headers) == (502, [html])
    assert await response.body.read() == b"<html>"


async def test_refused_credentials_are_replaced_once() -> None:
    inner = FakeEngine(refusal("ExpiredTokenException"), whole())
    response = await BedrockEngine(inner, signer()).send(REQUEST, Timeouts())
    assert response.status == 200
    assert keys(inner) == ["OLD", "NEW"]


async def test_no_newer_credentials_no_second_try() -> None:
    inner = FakeEngine(refusal("ExpiredTokenException"))
    response = await BedrockEngine(inner, signer(OLD)).send(REQUEST, Timeouts())
    assert response.status == 403
    assert keys(inner) == ["OLD"]


async def test_newer_ones_that_are_refused_too_are_the_end() -> None:
    inner = FakeEngine(refusal("UnrecognizedClientException"))
    response = await BedrockEngine(inner, signer()).send(REQUEST, Timeouts())
    assert response.status == 403
    assert keys(inner) == ["OLD", "NEW"]


@pytest.mark.parametrize("name", ["AccessDeniedException", "ThrottlingException"])
async def test_other_errors_are_not_the_credentials(name: str) -> None:
    inner = FakeEngine(refusal(name))
    await BedrockEngine(inner, signer()).send(REQUEST, Timeouts())
    assert keys(inner) == ["OLD"]


async def test_the_rest_is_the_inner_engines() -> None:
    inner = FakeEngine(Cut("gone"))
    engine = BedrockEngine(inner, None)
    with pytest.raises(Cut):
        await engine.send(REQUEST, Timeouts())
    assert engine.stats() == inner.stats()
    await engine.aclose()
    assert inner.closed
