"""The way to Bedrock's runtime: requests signed, answers made those of the Messages API."""

from gateway.call import Headers
from gateway.config.schema import Timeouts
from gateway.reply import BytesSource
from providers.bedrock.errors import STALE_CREDENTIAL_ERRORS, translate_error
from providers.bedrock.events import BedrockEventSource
from providers.bedrock.eventstream import CONTENT_TYPE
from providers.bedrock.signing import RequestSigner
from providers.transport.engine import ERROR_LIMIT, Engine, EngineStats, Request, Response
from providers.transport.upstream_response import read_body

_REPLACED_HEADERS = frozenset({b"content-type", b"content-length", b"x-amzn-errortype"})


class BedrockEngine:
    """An engine around another; without a signer requests carry a key of their own."""

    def __init__(self, inner: Engine, signer: RequestSigner | None) -> None:
        self._inner = inner
        self._signer = signer

    async def send(self, request: Request, timeouts: Timeouts) -> Response:
        """The answer: a stream as server-sent events, an error in the words of Messages.

        Where the credentials were refused and newer ones are there, it is sent once more.
        """
        if self._signer is None:
            response, _ = await _translate_response(await self._inner.send(request, timeouts))
            return response
        signed, used = await self._signer.sign_request(request)
        response, name = await _translate_response(await self._inner.send(signed, timeouts))
        if name in STALE_CREDENTIAL_ERRORS:
            signed, newer = await self._signer.sign_request(request, used)
            if newer != used:
                response, _ = await _translate_response(await self._inner.send(signed, timeouts))
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()

    def stats(self) -> EngineStats:
        """What is open now."""
        return self._inner.stats()


async def _translate_response(response: Response) -> tuple[Response, str]:
    """The answer as the Messages API would give it, and AWS's name of the error in it, if any."""
    found = dict(response.headers)
    response.headers = headers = [
        (b"request-id" if name == b"x-amzn-requestid" else name, value)
        for name, value in response.headers
    ]
    if response.status != 200:
        return await _translate_refusal(response, headers, found.get(b"x-amzn-errortype", b""))
    if found.get(b"content-type", b"").startswith(CONTENT_TYPE):
        response.headers = [(b"content-type", b"text/event-stream")]
        response.headers += [header for header in headers if header[0] not in _REPLACED_HEADERS]
        response.body = BedrockEventSource(response.body)
    return response, ""


async def _translate_refusal(
    response: Response, headers: Headers, named: bytes
) -> tuple[Response, str]:
    body = await read_body(response.body, ERROR_LIMIT)
    error = translate_error(named.decode("latin-1"), response.status, body)
    if error is None:
        response.body = BytesSource(body)
        return response, ""
    response.status, response.body = error.status, BytesSource(error.body)
    response.headers = [(b"content-type", b"application/json")]
    response.headers += [header for header in headers if header[0] not in _REPLACED_HEADERS]
    return response, error.name
