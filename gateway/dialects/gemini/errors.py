"""Errors of the Gemini API, as an upstream tells them (`google.rpc.Status`), and what ends well.

`{"error":{"code","message","status","details"}}`, sometimes in an array of one. The details name
the account, so nothing of them is told but the wait that they ask for.
"""

import math
import re
from typing import Any

import msgspec

from gateway.dialect import Digest
from gateway.dialects.common.faults import Fault, fault_in, refused
from gateway.dialects.gemini.answer import is_blocked, usage_of
from gateway.dialects.gemini.wire import Answer
from gateway.errors import BadAnswer, GatewayError, Refused
from gateway.wire import raw_json
from gateway.wire.raw_json import decode, present
from gateway.wire.sse import Frame

_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")
_ENDING = re.compile(rb'"(?:finishReason|blockReason)"\s*:\s*"|^data: ?\{\s*"error"', re.MULTILINE)
_LONGEST = 300


def read_error(status: int, body: bytes) -> GatewayError:
    """What an upstream's error answer says."""
    return _refused(status, _json(body)) or refused(status, Fault(_plain(body)))


def error_in(data: bytes) -> GatewayError | None:
    """The error in a 200 answer's body or in one event of a stream, if there is one."""
    return _refused(200, _json(data))


def _refused(status: int, found: Any) -> Refused | None:
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict) or "error" not in found:
        return None
    fault = fault_in(found)
    if fault is None:
        return None
    error = refused(status, fault)
    details = _details(found["error"])
    error.details = None
    if isinstance(error.code, int):
        error.code = None  # the status once more
    error.retry_after = next((wait for each in details if (wait := _wait(each))), None)
    return error


def _details(inner: Any) -> list[dict[str, Any]]:
    found = inner.get("details") if isinstance(inner, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _wait(detail: dict[str, Any]) -> float | None:
    """Seconds of a `RetryInfo`."""
    if detail.get("@type") != _RETRY_INFO:
        return None
    found = _DURATION.fullmatch(str(detail.get("retryDelay")))
    seconds = float(found[1]) if found else math.inf
    return seconds if math.isfinite(seconds) else None


def _json(body: bytes) -> Any:
    try:
        return raw_json.decode(body, object)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _plain(body: bytes) -> str:
    """A short body of words; a page of HTML says nothing a client can use."""
    text = body[:_LONGEST].decode("utf-8", "replace").strip()
    return "" if text[:1] in ("<", "{", "[") or not text.isprintable() else text


def stream_error(frame: Frame) -> GatewayError | None:
    """The error that a frame carries; text that merely speaks of one carries none."""
    return error_in(frame.data) if b'"error"' in frame.data else None


def digest(body: bytes) -> Digest:
    """An error in a 200, and the tokens used; nothing where the body is no JSON object."""
    try:
        answer = decode(body, Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Digest(error_in(body))
    if present(answer.error):
        return Digest(error_in(body) or BadAnswer("upstream sent an error that says nothing"))
    counts = answer.usage_metadata
    usage = usage_of(counts) if counts is not None else None
    if not answer.candidates and not is_blocked(answer):
        return Digest(BadAnswer("upstream returned no candidates"), usage)
    return Digest(None, usage)


def whole(tail: bytes) -> bool:
    """Whether the last bytes of a stream hold its ending, good or bad."""
    return _ENDING.search(tail.replace(b"\r", b"\n")) is not None
