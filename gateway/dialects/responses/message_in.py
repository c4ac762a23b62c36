"""A whole answer of a Responses upstream (`Response`)."""

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.common.arguments import (
    make_call_id,
    normalize_arguments,
    read_custom_input,
    wrapped_tool_names,
)
from gateway.dialects.common.parameters import SERVICE_TIERS
from gateway.dialects.common.stops import cut_at_stop
from gateway.dialects.responses.answer_wire import (
    Annotation,
    ItemKind,
    OutputItem,
    OutputPart,
    ResponseObject,
)
from gateway.dialects.responses.digest import summarize
from gateway.dialects.responses.reasoning import pack_reasoning
from gateway.dialects.responses.usage import read_usage
from gateway.dialects.responses.wire import DIALECT_NAME
from gateway.errors import BadAnswer
from gateway.neutral.events import (
    Citation,
    Ending,
    Message,
    Part,
    Redacted,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolCall,
)
from gateway.wire.raw_json import decode

KNOWN_ITEM_TYPES = frozenset({"message", "reasoning", "function_call", "custom_tool_call"})
"""Items that have a neutral form."""
_HOSTED_TOOL_TYPES = (
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "mcp_list_tools",
)
"""Steps of tools that the upstream runs itself: the text after them tells what they found."""
_UNFINISHED_STATUSES = frozenset({"in_progress", "queued", "cancelled"})
SUMMARY_SEPARATOR = "\n\n"
"""Stands between two parts of a summary."""


def read_message(body: bytes, conversion: Conversion) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    if (error := summarize(body).error) is not None:
        raise error
    try:
        answer = decode(body.strip(), ResponseObject)
        parts = read_output(answer.output or [], conversion)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an answer that cannot be read: {fault}") from None
    parts, matched = cut_at_stop(parts, conversion.local_stops)
    ending = read_stop(
        answer,
        called=any(isinstance(part, ToolCall) for part in parts),
        refused=any(isinstance(part, Refusal) for part in parts),
        conversion=conversion,
    )
    if matched is not None:
        ending.stop, ending.stop_sequence = "stop_sequence", matched
    return Message(answer.id or "", answer.model or conversion.model, parts, ending)


def read_stop(
    answer: ResponseObject, *, called: bool, refused: bool, conversion: Conversion
) -> Ending:
    """Why and how an answer ended. BadAnswer for one that is not done."""
    if answer.status in _UNFINISHED_STATUSES:
        raise BadAnswer(f"upstream gave up its answer with status {answer.status!r}")
    stop: Stop = "tool_use" if called else "refusal" if refused else "end_turn"
    native = None
    if answer.status == "incomplete":
        reason = answer.incomplete_details.reason if answer.incomplete_details else None
        stop = "refusal" if reason == "content_filter" else "max_tokens"
        if reason not in (None, "content_filter", "max_output_tokens"):
            native = reason
            conversion.notes.note("incomplete_details.reason", "unknown_value")
    tier = SERVICE_TIERS.get(answer.service_tier or "")
    return Ending(stop, usage=read_usage(answer.usage), service_tier=tier, native=native)


class DocumentFilter:
    """Which messages of an answer are told: where its shape is fixed, only the document itself."""

    __slots__ = ("_conversion", "_has_document")

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._has_document = False

    def should_keep(self, item: OutputItem) -> bool:
        """Whether the client gets the message; a second text would spoil the first one's JSON."""
        if self._conversion.prompt.format is None:
            return True
        told = self._has_document or item.phase == "commentary"
        if told:
            self._conversion.notes.note("output.message", "beside_the_document_dropped")
        else:
            self._has_document = True
        return not told


def read_output(output: list[Raw], conversion: Conversion) -> list[Part]:
    """The parts of all items, in order. msgspec.ValidationError where one is none."""
    documents = DocumentFilter(conversion)
    wrapped = wrapped_tool_names(conversion)
    parts: list[Part] = []
    for raw in output:
        kind = decode(raw, ItemKind).type
        if kind not in KNOWN_ITEM_TYPES:
            note_unknown(kind, conversion)
            continue
        item = decode(raw, OutputItem)
        if kind == "message":
            parts += _read_message_item(item, conversion) if documents.should_keep(item) else []
        elif kind == "reasoning":
            parts += read_reasoning(item)
        elif (call := _read_call(item, wrapped, conversion)) is not None:
            parts.append(call)
    return parts


def note_unknown(kind: str, conversion: Conversion) -> None:
    """Tell that an item has no neutral form, unless nothing is lost with it."""
    if kind not in _HOSTED_TOOL_TYPES:
        conversion.notes.note(f"output.{kind or 'item'}", "unsupported_by_client")


def _read_message_item(item: OutputItem, conversion: Conversion) -> list[Part]:
    parts: list[Part] = []
    for piece in item.content or ():
        if piece.refusal:
            parts.append(Refusal(piece.refusal))
        elif piece.text:
            parts.append(Text(piece.text, citations=_read_citations(piece, conversion)))
    return parts


def _read_citations(piece: OutputPart, conversion: Conversion) -> list[Citation]:
    found = [read_citation(raw, piece.text or "", conversion) for raw in piece.annotations or ()]
    return [citation for citation in found if citation is not None]


def read_citation(raw: Raw, said: str, conversion: Conversion) -> Citation | None:
    """An `AnnotationURLCitation` of the text, for a client that asked for sources."""
    if conversion.prompt.web_search is None:
        conversion.notes.note("annotations", "not_asked_for")
        return None
    found = decode(raw, Annotation)
    if found.type != "url_citation" or found.url is None:
        conversion.notes.note("annotations", "without_url_dropped")
        return None
    start, end = found.start_index, found.end_index
    if start is None or end is None or not 0 <= start <= end <= len(said):
        return Citation(raw, found.url, found.title)
    return Citation(raw, found.url, found.title, said[start:end] or None, (start, end))


def read_reasoning(item: OutputItem) -> list[Part]:
    """The reasoning of an item: its summary, or its own words where it has no summary."""
    summary = [piece.text for piece in item.summary or () if piece.text]
    text = SUMMARY_SEPARATOR.join(
        summary or [piece.text for piece in item.content or () if piece.text]
    )
    blob = pack_reasoning(item.id or "", item.encrypted_content) if item.encrypted_content else None
    if text:
        return [Thinking(text, blob, DIALECT_NAME)]
    return [Redacted(blob, DIALECT_NAME)] if blob is not None else []


def _read_call(
    item: OutputItem, wrapped: frozenset[str], conversion: Conversion
) -> ToolCall | None:
    name = conversion.names.to_client(item.name or "")
    if not name:
        conversion.notes.note("output.function_call", "without_name_dropped")
        return None
    id = item.call_id or item.id or make_call_id()
    if item.type == "custom_tool_call":
        return ToolCall(id, name, item.input or "", custom=True)
    if name in wrapped:
        return ToolCall(id, name, read_custom_input(item.arguments or ""), custom=True)
    arguments = normalize_arguments(item.arguments)
    if arguments.repaired:
        if item.status == "incomplete":
            conversion.notes.note("output.function_call", "cut_short_dropped")
            return None
        conversion.notes.note("output.function_call.arguments", "invalid_json_kept_as_text")
    return ToolCall(id, name, arguments.text)
