"""The way to Vertex AI: requests with an access token, errors in the words of Messages."""

from typing import Any

import msgspec

from gateway.config.schema import Timeouts
from gateway.reply import BytesSource
from gateway.wire.raw_json import decode
from providers.transport.cloud_messages import write_error_body
from providers.transport.credential_cache import CredentialCache
from providers.transport.engine import ERROR_LIMIT, Engine, EngineStats, Request, Response
from providers.transport.upstream_response import read_body

_ERROR_KINDS = {
    "ABORTED": "conflict_error",
    "DEADLINE_EXCEEDED": "timeout_error",
    "FAILED_PRECONDITION": "invalid_request_error",
    "INTERNAL": "api_error",
    "INVALID_ARGUMENT": "invalid_request_error",
    "NOT_FOUND": "not_found_error",
    "PERMISSION_DENIED": "permission_error",
    "RESOURCE_EXHAUSTED": "rate_limit_error",
    "UNAUTHENTICATED": "authentication_error",
    "UNAVAILABLE": "api_error",
}
"""Google's canonical codes in the words of the Messages API."""
_REPLACED_HEADERS = frozenset({b"content-type", b"content-length"})


class VertexEngine:
    """An engine around another; without tokens to fetch, requests carry one of their own."""

    def __init__(self, inner: Engine, tokens: CredentialCache[str] | None) -> None:
        self._inner = inner
        self._tokens = tokens

    async def send(self, request: Request, timeouts: Timeouts) -> Response:
        """The answer; sent once more where the token was refused and a newer one is there."""
        if self._tokens is None:
            return await _translate_response(await self._inner.send(request, timeouts))
        token = await self._tokens.get_credential()
        response = await self._inner.send(_add_token(token, request), timeouts)
        if response.status == 401:
            newer = await self._tokens.get_credential(token)
            if newer != token:
                await response.body.aclose()
                response = await self._inner.send(_add_token(newer, request), timeouts)
        return await _translate_response(response)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()

    def stats(self) -> EngineStats:
        """What is open now."""
        return self._inner.stats()


def _add_token(token: str, request: Request) -> Request:
    headers = [*request.headers, (b"authorization", b"Bearer " + token.encode())]
    return msgspec.structs.replace(request, headers=headers)


async def _translate_response(response: Response) -> Response:
    """The answer, an error of Google's as the Messages API would tell it."""
    if response.status == 200:
        return response
    body = await read_body(response.body, ERROR_LIMIT)
    told = _translate_error(body)
    if told is not None:
        kept = [header for header in response.headers if header[0] not in _REPLACED_HEADERS]
        response.headers = [(b"content-type", b"application/json"), *kept]
    response.body = BytesSource(body if told is None else told)
    return response


def _translate_error(body: bytes) -> bytes | None:
    """An error of Google's in the words of Messages; None where it is none of Google's."""
    try:
        found = decode(body, Any)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    found = found[0] if isinstance(found, list) and found else found
    inner = found.get("error") if isinstance(found, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("status"), str):
        return None
    kind = _ERROR_KINDS.get(inner["status"], "api_error")
    return write_error_body(kind, str(inner.get("message") or inner["status"]))
