"""What comes back from an upstream: read within limits, and judged by what it says."""

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from math import inf, isfinite
from time import time
from typing import Literal

import msgspec

from gateway.call import Headers
from gateway.dialect import Dialect
from gateway.errors import BadAnswer, Cut, GatewayError, Refused
from gateway.reply import Source
from gateway.wire.raw_json import decode
from gateway.wire.sse import BOM, Splitter

_PASSED_HEADERS = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry"})
_PASSED_HEADER_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-", b"x-codex-", b"x-models-etag")
_MAX_PREAMBLE_EVENTS = 3
"""Events that say nothing and are waited past, at most."""
_REQUEST_ID_HEADERS = frozenset(
    {b"x-request-id", b"request-id", b"apim-request-id", b"x-generation-id"}
)


def make_missing_key_message(provider: str) -> str:
    """What a client hears that brought no key for a provider of the clients' own keys."""
    return f"Provider '{provider}' requires API key passthrough, but no client API key was provided"


async def read_first_error(
    source: Source, dialect: Dialect, chunks: list[bytes]
) -> tuple[GatewayError | None, bool]:
    """Reads into `chunks` to the end of the first event that says something.

    The error that it carries, if any, and whether others came before it. Of events that
    only tell of an answer to come no more than a few are waited for.
    """
    splitter = Splitter()
    passed = 0
    says_nothing = dialect.is_preamble
    while chunk := await source.read():
        chunks.append(chunk)
        if (
            says_nothing is None
            and len(chunks) == 1
            and chunk.find(b'"error"') < 0
            and _has_whole_event(chunk)
        ):
            return None, False  # the usual first chunk: whole events, none of them an error
        for frame in splitter.feed(chunk):
            error = dialect.stream_error(frame)
            if not error and says_nothing and passed < _MAX_PREAMBLE_EVENTS and says_nothing(frame):
                passed += 1
                continue
            chunks[:] = [b"".join(chunks).removeprefix(BOM)]  # a client may take it for a field
            return error, passed > 0
    for frame in splitter.finish():
        chunks[:] = [b"".join(chunks).removeprefix(BOM)]
        return dialect.stream_error(frame), passed > 0
    return Cut("the upstream closed the stream before its answer began"), False


def _has_whole_event(chunk: bytes) -> bool:
    return chunk.startswith((b"data:", b"event:")) and chunk.find(b"\n\n") >= 0


async def read_body(source: Source, limit: int) -> bytes:
    """The body to its end. BadAnswer where it is over the limit.

    A source may offer `rest()`, the whole of what is left where that is here already.
    """
    here: Callable[[], bytes | None] | None = getattr(source, "rest", None)
    if here is not None and (body := here()) is not None:
        if len(body) > limit:
            raise _make_too_large(limit)
        return body
    pieces: list[bytes] = []
    size = 0
    try:
        while chunk := await source.read():
            pieces.append(chunk)
            size += len(chunk)
            if size > limit:
                raise _make_too_large(limit)
    finally:
        await source.aclose()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _make_too_large(limit: int) -> BadAnswer:
    return BadAnswer(f"the upstream's answer is larger than {limit} bytes")


def mask_secret(error: GatewayError, secret: str) -> None:
    """Takes a key out of all that is told of an error."""
    error.message = error.message.replace(secret, "***")
    if isinstance(error.code, str):
        error.code = error.code.replace(secret, "***")
    if error.param:
        error.param = error.param.replace(secret, "***")
    if error.details:
        details = msgspec.json.encode(error.details).replace(secret.encode(), b"***")
        error.details = msgspec.json.decode(details, type=dict[str, object])


class _Object(msgspec.Struct):
    pass


def is_json_object(body: bytes) -> bool:
    """Whether the bytes are a JSON object."""
    try:
        decode(body, _Object)
    except msgspec.ValidationError:
        return False
    return True


def is_event_stream(headers: Headers) -> bool:
    """Whether the headers announce server-sent events."""
    return any(
        name == b"content-type" and value.lstrip().lower().startswith(b"text/event-stream")
        for name, value in headers
    )


def parse_retry_after(headers: Headers) -> float | None:
    """Seconds to wait, from retry-after-ms or retry-after (seconds or a date)."""
    found: Mapping[bytes, bytes] = dict(headers)
    wait = inf
    try:
        if b"retry-after-ms" in found:
            wait = float(found[b"retry-after-ms"]) / 1000
        elif b"retry-after" in found:
            text = found[b"retry-after"].decode("latin-1").strip()
            if text.replace(".", "", 1).isdigit():
                wait = float(text)
            else:
                wait = parsedate_to_datetime(text).timestamp() - time()
    except (ValueError, TypeError, OverflowError):
        pass
    return max(0.0, wait) if isfinite(wait) else None  # an unreadable wait is none


def make_gateway_key_error(provider: str, status: int, error: GatewayError) -> Refused:
    """What a client hears when the gateway's own key was refused: it cannot mend that."""
    fault = Refused(
        f"the provider '{provider}' refused the gateway's key ({status}); "
        "the operator has to replace it",
        status=502,
        kind="api_error",
        code="provider_key_refused",
    )
    fault.upstream_status = status
    fault.should_retry = False
    fault.details = {"upstream_type": error.kind}
    return fault


@lru_cache(maxsize=512)
def header_policy(name: bytes) -> Literal["hidden", "passed", "type", "id"]:
    """What becomes of an upstream's header of that name."""
    if name == b"content-type":
        return "type"
    if name in _PASSED_HEADERS or name.startswith(_PASSED_HEADER_PREFIXES):
        return "passed"
    return "id" if name in _REQUEST_ID_HEADERS else "hidden"


def connection_headers(headers: Headers) -> set[bytes]:
    """Headers that the client's Connection header names: they end here."""
    found: set[bytes] = set()
    for name, value in headers:
        if name == b"connection":
            found.update(token.strip().lower() for token in value.split(b","))
    return found
