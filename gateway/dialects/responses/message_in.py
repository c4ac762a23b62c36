"""A whole answer of a Responses upstream (`Response`)."""

import msgspec
from msgspec import Raw

from gateway.dialect import Crossing
from gateway.dialects.common.arguments import made_id, unwrapped, valid_arguments, wrapped_names
from gateway.dialects.common.parameters import TIERS
from gateway.dialects.common.stops import stopped
from gateway.dialects.responses.digest import digest
from gateway.dialects.responses.reasoning import carried
from gateway.dialects.responses.typed_in import Annotation, Answer, Item, ItemKind, Piece
from gateway.dialects.responses.usage import read_usage
from gateway.dialects.responses.wire import NAME
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

KNOWN = frozenset({"message", "reasoning", "function_call", "custom_tool_call"})
"""Items that have a neutral form."""
_SERVED = ("web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools")
"""Steps of tools that the upstream runs itself: the text after them tells what they found."""
_UNDONE = frozenset({"in_progress", "queued", "cancelled"})
BETWEEN = "\n\n"
"""Stands between two parts of a summary."""


def read_message(body: bytes, crossing: Crossing) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    if (error := digest(body).error) is not None:
        raise error
    try:
        answer = decode(body.strip(), Answer)
        parts = read_output(answer.output or [], crossing)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an answer that cannot be read: {fault}") from None
    parts, matched = stopped(parts, crossing.local_stops)
    ending = read_ending(
        answer,
        called=any(isinstance(part, ToolCall) for part in parts),
        refused=any(isinstance(part, Refusal) for part in parts),
        crossing=crossing,
    )
    if matched is not None:
        ending.stop, ending.stop_sequence = "stop_sequence", matched
    return Message(answer.id or "", answer.model or crossing.model, parts, ending)


def read_ending(answer: Answer, *, called: bool, refused: bool, crossing: Crossing) -> Ending:
    """Why and how an answer ended. BadAnswer for one that is not done."""
    if answer.status in _UNDONE:
        raise BadAnswer(f"upstream gave up its answer with status {answer.status!r}")
    stop: Stop = "tool_use" if called else "refusal" if refused else "end_turn"
    native = None
    if answer.status == "incomplete":
        reason = answer.incomplete_details.reason if answer.incomplete_details else None
        stop = "refusal" if reason == "content_filter" else "max_tokens"
        if reason not in (None, "content_filter", "max_output_tokens"):
            native = reason
            crossing.notes.note("incomplete_details.reason", "unknown_value")
    tier = TIERS.get(answer.service_tier or "")
    return Ending(stop, usage=read_usage(answer.usage), service_tier=tier, native=native)


class Documents:
    """Which messages of an answer are told: where its shape is fixed, only the document itself."""

    __slots__ = ("_crossing", "_told")

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._told = False

    def takes(self, item: Item) -> bool:
        """Whether the client gets the message; a second text would spoil the first one's JSON."""
        if self._crossing.prompt.format is None:
            return True
        told = self._told or item.phase == "commentary"
        if told:
            self._crossing.notes.note("output.message", "beside_the_document_dropped")
        else:
            self._told = True
        return not told


def read_output(output: list[Raw], crossing: Crossing) -> list[Part]:
    """The parts of all items, in order. msgspec.ValidationError where one is none."""
    documents = Documents(crossing)
    wrapped = wrapped_names(crossing)
    parts: list[Part] = []
    for raw in output:
        kind = decode(raw, ItemKind).type
        if kind not in KNOWN:
            note_unknown(kind, crossing)
            continue
        item = decode(raw, Item)
        if kind == "message":
            parts += _message(item, crossing) if documents.takes(item) else []
        elif kind == "reasoning":
            parts += thoughts(item)
        elif (call := _call(item, wrapped, crossing)) is not None:
            parts.append(call)
    return parts


def note_unknown(kind: str, crossing: Crossing) -> None:
    """Tell that an item has no neutral form, unless nothing is lost with it."""
    if kind not in _SERVED:
        crossing.notes.note(f"output.{kind or 'item'}", "unsupported_by_client")


def _message(item: Item, crossing: Crossing) -> list[Part]:
    parts: list[Part] = []
    for piece in item.content or ():
        if piece.refusal:
            parts.append(Refusal(piece.refusal))
        elif piece.text:
            parts.append(Text(piece.text, citations=_citations(piece, crossing)))
    return parts


def _citations(piece: Piece, crossing: Crossing) -> list[Citation]:
    found = [cited(raw, piece.text or "", crossing) for raw in piece.annotations or ()]
    return [citation for citation in found if citation is not None]


def cited(raw: Raw, said: str, crossing: Crossing) -> Citation | None:
    """An `AnnotationURLCitation` of the text, for a client that asked for sources."""
    if crossing.prompt.web_search is None:
        crossing.notes.note("annotations", "not_asked_for")
        return None
    found = decode(raw, Annotation)
    if found.type != "url_citation" or found.url is None:
        crossing.notes.note("annotations", "without_url_dropped")
        return None
    start, end = found.start_index, found.end_index
    if start is None or end is None or not 0 <= start <= end <= len(said):
        return Citation(raw, found.url, found.title)
    return Citation(raw, found.url, found.title, said[start:end] or None, (start, end))


def thoughts(item: Item) -> list[Part]:
    """The reasoning of an item: its summary, or its own words where it has no summary."""
    summary = [piece.text for piece in item.summary or () if piece.text]
    text = BETWEEN.join(summary or [piece.text for piece in item.content or () if piece.text])
    blob = carried(item.id or "", item.encrypted_content) if item.encrypted_content else None
    if text:
        return [Thinking(text, blob, NAME)]
    return [Redacted(blob, NAME)] if blob is not None else []


def _call(item: Item, wrapped: frozenset[str], crossing: Crossing) -> ToolCall | None:
    name = crossing.names.known(item.name or "")
    if not name:
        crossing.notes.note("output.function_call", "without_name_dropped")
        return None
    id = item.call_id or item.id or made_id()
    if item.type == "custom_tool_call":
        return ToolCall(id, name, item.input or "", custom=True)
    if name in wrapped:
        return ToolCall(id, name, unwrapped(item.arguments or ""), custom=True)
    arguments = valid_arguments(item.arguments)
    if arguments.repaired:
        if item.status == "incomplete":
            crossing.notes.note("output.function_call", "cut_short_dropped")
            return None
        crossing.notes.note("output.function_call.arguments", "invalid_json_kept_as_text")
    return ToolCall(id, name, arguments.text)
