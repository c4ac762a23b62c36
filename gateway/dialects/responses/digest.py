"""Errors and token counts read from the bytes of a Responses answer, without a conversion."""

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import AnswerSummary
from gateway.dialects.responses.errors import read_error
from gateway.dialects.responses.usage import UsageCounts, read_usage
from gateway.errors import BadAnswer
from gateway.wire.raw_json import ABSENT, decode, present


class _ResponseUsage(Struct):
    usage: UsageCounts | None = None


class _SummaryFields(Struct):
    """The members of `Response`, or of an event with one, that show an error or token counts."""

    usage: UsageCounts | None = None
    error: Raw = ABSENT
    status: str | None = None
    output: Raw = ABSENT
    response: _ResponseUsage | None = None


def summarize(body: bytes) -> AnswerSummary:
    """The error in a 200 answer, and its token counts; an event has them in its `response`."""
    try:
        glance = decode(body.strip(), _SummaryFields)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return AnswerSummary()
    if glance.response is not None:
        return AnswerSummary(None, read_usage(glance.response.usage))
    usage = read_usage(glance.usage)
    if present(glance.error) or glance.status == "failed":
        return AnswerSummary(read_error(200, body), usage)
    if not present(glance.output):
        return AnswerSummary(BadAnswer("upstream sent JSON that is no response"), usage)
    return AnswerSummary(None, usage)
