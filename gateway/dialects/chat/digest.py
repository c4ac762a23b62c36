"""Errors, usage and completeness of a Chat answer, read without a conversion."""

import re
from collections.abc import Callable

import msgspec

from gateway.dialect import AnswerSummary
from gateway.dialects.chat.answer import Groq
from gateway.dialects.common.faults import find_error
from gateway.dialects.common.usage import UsageCounts, read_usage
from gateway.errors import BadAnswer
from gateway.wire.raw_json import ABSENT, decode, present

_DONE_LINE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
_FINISH_REASON = re.compile(rb'"finish_reason": ?"(?!error")[^"]')


class _SummaryFields(msgspec.Struct):
    """The members of `ChatCompletion` and `CreateEmbeddingResponse` that `summarize` needs."""

    usage: UsageCounts | None = None
    error: msgspec.Raw = ABSENT
    choices: msgspec.Raw = ABSENT
    data: msgspec.Raw = ABSENT
    x_groq: Groq | None = None


def make_summarize(member: str, missing: str) -> Callable[[bytes], AnswerSummary]:
    """A `Dialect.summarize` for answers with that member; `missing` is the error without it."""

    def summarize(body: bytes) -> AnswerSummary:
        """The error in a 200 and the usage; empty if the body cannot be decoded."""
        try:
            glance = decode(body.strip(), _SummaryFields)
        except (msgspec.MsgspecError, RecursionError):
            return AnswerSummary(find_error(body.strip()))
        counts = glance.usage or (glance.x_groq.usage if glance.x_groq else None)
        usage = read_usage(counts) if counts is not None else None
        if present(getattr(glance, member)) and not present(glance.error):
            return AnswerSummary(None, usage)
        return AnswerSummary(find_error(body.strip()) or BadAnswer(missing), usage)

    return summarize


summarize = make_summarize("choices", "upstream returned no choices")


def is_usage_only(data: bytes) -> bool:
    """Whether a chunk holds only the usage: the one that `include_usage` adds."""
    try:
        glance = decode(data.strip(), _SummaryFields)
    except (msgspec.MsgspecError, RecursionError):
        return False
    empty = bytes(glance.choices) in (b"[]", b"null") or glance.choices == ABSENT
    return empty and glance.usage is not None and not present(glance.error)


def is_complete(tail: bytes) -> bool:
    """Whether `[DONE]` stands in the tail, or a finish reason: some servers send no `[DONE]`."""
    at = tail.rfind(b"[DONE]")
    if at >= 0 and _DONE_LINE.search(tail, max(0, at - 8)) is not None:
        return True
    return _FINISH_REASON.search(tail) is not None
