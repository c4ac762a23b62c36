"""What the bytes of a Responses answer say without a conversion."""

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import Digest
from gateway.dialects.responses.errors import read_error
from gateway.dialects.responses.usage import UsageCounts, read_usage
from gateway.errors import BadAnswer
from gateway.wire.raw_json import ABSENT, decode, present


class _Inner(Struct):
    usage: UsageCounts | None = None


class _Glance(Struct):
    """The members of `Response`, and of an event that has one, that tell how it went."""

    usage: UsageCounts | None = None
    error: Raw = ABSENT
    status: str | None = None
    output: Raw = ABSENT
    response: _Inner | None = None


def digest(body: bytes) -> Digest:
    """An error in a 200, and the tokens used; an event's usage stands in its response."""
    try:
        glance = decode(body.strip(), _Glance)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Digest()
    if glance.response is not None:
        return Digest(None, read_usage(glance.response.usage))
    usage = read_usage(glance.usage)
    if present(glance.error) or glance.status == "failed":
        return Digest(read_error(200, body), usage)
    if not present(glance.output):
        return Digest(BadAnswer("upstream sent JSON that is no response"), usage)
    return Digest(None, usage)
