"""What the bytes of a Chat answer say without a conversion."""

import re

import msgspec

from gateway.dialect import Digest
from gateway.dialects.chat.answer import Groq
from gateway.dialects.common.faults import error_in
from gateway.dialects.common.usage import UsageCounts, exclusive
from gateway.errors import BadAnswer
from gateway.wire.raw_json import ABSENT, decode, present

_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
_FINISH = re.compile(rb'"finish_reason": ?"(?!error")[^"]')


class _Glance(msgspec.Struct):
    """The members of `ChatCompletion` that tell how it went."""

    usage: UsageCounts | None = None
    error: msgspec.Raw = ABSENT
    choices: msgspec.Raw = ABSENT
    x_groq: Groq | None = None


def digest(body: bytes) -> Digest:
    """An error in a 200 answer, and the tokens used; nothing where the body cannot be read."""
    try:
        glance = decode(body.strip(), _Glance)
    except (msgspec.MsgspecError, RecursionError):
        return Digest(error_in(body.strip()))
    counts = glance.usage or (glance.x_groq.usage if glance.x_groq else None)
    usage = exclusive(counts) if counts is not None else None
    if present(glance.choices) and not present(glance.error):
        return Digest(None, usage)
    return Digest(error_in(body.strip()) or BadAnswer("upstream returned no choices"), usage)


def only_usage(data: bytes) -> bool:
    """Whether a chunk tells nothing but the usage: the one that `include_usage` adds."""
    try:
        glance = decode(data.strip(), _Glance)
    except (msgspec.MsgspecError, RecursionError):
        return False
    empty = bytes(glance.choices) in (b"[]", b"null") or glance.choices == ABSENT
    return empty and glance.usage is not None and not present(glance.error)


def whole(tail: bytes) -> bool:
    """Whether `[DONE]` stands in the tail, or a finish reason: some servers send no `[DONE]`."""
    at = tail.rfind(b"[DONE]")
    if at >= 0 and _DONE.search(tail, max(0, at - 8)) is not None:
        return True
    return _FINISH.search(tail) is not None
