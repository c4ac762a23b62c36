"""The members of a Responses answer, whole (`Response`) or in pieces (`ResponseStreamEvent`).

Types are as wide as the servers that call themselves compatible; what is not here is ignored.
"""

from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.responses.usage import UsageCounts
from gateway.errors import BadAnswer
from gateway.wire.raw_json import ABSENT, decode

T = TypeVar("T")


class ItemKind(Struct):
    """The `type` of an output item or a content part."""

    type: str = ""


class OutputPart(Struct):
    """`ResponseOutputText`, `ResponseOutputRefusal`, a summary's or a reasoning's text."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[Raw] | None = None


class Annotation(Struct):
    """`AnnotationURLCitation`, and the annotations that have no address."""

    type: str = ""
    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class OutputItem(Struct):
    """The output items that have a neutral form: messages, reasoning, calls of both kinds."""

    type: str = ""
    id: str | None = None
    content: list[OutputPart] | None = None
    phase: str | None = None
    summary: list[OutputPart] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    status: str | None = None


class IncompleteDetails(Struct):
    """`IncompleteDetails`."""

    reason: str | None = None


class ResponseObject(Struct):
    """`Response`; its output stays raw until each item's kind is known."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[Raw] | None = None
    error: Raw = ABSENT
    incomplete_details: IncompleteDetails | None = None
    usage: UsageCounts | None = None
    service_tier: str | None = None


class StreamEvent(Struct):
    """Any `ResponseStreamEvent`."""

    type: str = ""
    delta: str | None = None
    output_index: int | None = None
    item_id: str | None = None
    content_index: int | None = None
    summary_index: int | None = None
    item: Raw = ABSENT
    response: Raw = ABSENT
    annotation: Raw = ABSENT
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None


def decode_as(raw: bytes | Raw, type: type[T]) -> T:
    """A part of an answer, decoded. BadAnswer where it is not of that type."""
    try:
        return decode(raw, type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an answer that cannot be read: {fault}") from None
